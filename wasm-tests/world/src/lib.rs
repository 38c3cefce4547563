//! The real parts around a proxy: upstream and, later, limit service and collectors.
