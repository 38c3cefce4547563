//! The policy filter as a proxy-wasm module.
#![expect(missing_docs, reason = "the entry point is the macro's")]

weir_shell::module!(weir_policy::Policy, tcp: weir_policy::TcpPolicy);
