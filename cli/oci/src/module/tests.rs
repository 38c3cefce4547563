use super::*;
use crate::testing::module;
use weir_testing::Rows;

#[test]
fn a_file_is_a_module_of_an_abi_or_nothing_for_a_proxy() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let read = |abi: &str, imports: &[&str]| {
        Ok(Module { abi: abi.to_owned(), imports: imports.iter().map(|&name| name.to_owned()).collect() })
    };
    let cut = module(&["proxy_log"]);
    let rows: [(&str, Vec<u8>, Result<Module, ModuleError>); 8] = [
        ("imports", module(&["proxy_log", "proxy_done"]), read("0.2.1", &["proxy_log", "proxy_done"])),
        ("0.2.0", wat("(module (func (export \"proxy_abi_version_0_2_0\")))"), read("0.2.0", &[])),
        ("no ABI", wat("(module (func (export \"proxy_on_tick\")))"), Err(ModuleError::NoAbi)),
        ("component", wat("(component)"), Err(ModuleError::Component)),
        ("empty", Vec::new(), Err(ModuleError::NotWasm)),
        ("seven bytes", b"\0asm\x01\0\0".to_vec(), Err(ModuleError::NotWasm)),
        ("text", b"(module (func))".to_vec(), Err(ModuleError::NotWasm)),
        ("gzipped", crate::testing::gzip(&module(&[])), Err(ModuleError::NotWasm)),
    ];
    let mut table = Rows::default();
    for (name, bytes, expected) in rows {
        table.check(name, Module::read(&bytes), expected);
    }
    table.check("cut off", matches!(Module::read(&cut[..cut.len() - 3]), Err(ModuleError::Damaged(_))), true);
}
