//! Authorization: Istio AuthorizationPolicy compiled, indexed, decided and explained.
