//! Makes a component smaller without a change of what it does, with wasm-opt. That reads modules and no
//! components, so the compiler's module is taken out of the component and put back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use stack::layout;
use wasm_encoder::Encode;
use wasmparser::BinaryReader;

use crate::run;

/// Magic number and version, of modules and of components.
const PREAMBLE: usize = 8;
/// The section of a component that is a module.
const MODULE: u8 = 1;
/// Sections for tools: in a finished component, names.
const CUSTOM: u8 = 0;

/// What wasm-opt does. Functions of one crate beside each other compress better, and after that nobody
/// needs their names.
const OPTIONS: [&str; 4] =
    ["-Oz", "--reorder-functions-by-name", "--strip-debug", "--strip-producers"];

/// What the outcome depends on beside the component.
pub(crate) fn recipe() -> String {
    format!("{}{}", OPTIONS.join(" "), include_str!("shrink.rs"))
}

/// Write the component `from` to `to`, smaller.
///
/// # Errors
/// If it is no component, or wasm-opt fails.
pub(crate) fn component(name: &str, from: &Path, to: &Path) -> Result<()> {
    let built = fs::read(from).with_context(|| format!("cargo made no {}", from.display()))?;
    let file = to.with_extension("module.wasm");
    let smaller = around_module(&built, |module| {
        fs::write(&file, module)?;
        let mut command = Command::new(layout::npm_program("wasm-opt"));
        command.args(OPTIONS).arg(&file).arg("-o").arg(&file);
        run::logged(&format!("shrink {name}"), &mut command, |_| {})?;
        Ok(fs::read(&file)?)
    });
    let outcome = smaller.and_then(|smaller| Ok(fs::write(to, smaller)?));
    // It is in nobody's way.
    let _ = fs::remove_file(&file);
    outcome
}

/// The component with another module for its largest one, which is the compiler's; the others connect it.
fn around_module(
    component: &[u8],
    replace: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let sections = sections(component)?;
    let modules = sections.iter().enumerate().filter(|(_, section)| section.id == MODULE);
    let (place, module) =
        modules.max_by_key(|(_, section)| section.body.len()).context("it has no module")?;
    let module = replace(module.body)?;
    let mut smaller = component[..PREAMBLE].to_vec();
    for (index, section) in sections.iter().enumerate().filter(|(_, one)| one.id != CUSTOM) {
        let body = if index == place { &module } else { section.body };
        smaller.push(section.id);
        body.encode(&mut smaller);
    }
    Ok(smaller)
}

struct Section<'b> {
    id: u8,
    body: &'b [u8],
}

fn sections(component: &[u8]) -> Result<Vec<Section<'_>>> {
    let body = component.get(PREAMBLE..).context("it is too short for a component")?;
    let mut reader = BinaryReader::new(body, PREAMBLE);
    let mut sections = Vec::new();
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()?;
        sections.push(Section { id, body: reader.read_bytes(length as usize)? });
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{Component, CustomSection, Module, ModuleSection};

    use super::*;

    fn module(name: &'static str) -> Module {
        let mut module = Module::new();
        module.section(&CustomSection { name: name.into(), data: [].as_slice().into() });
        module
    }

    #[test]
    fn the_largest_module_is_replaced_and_names_are_left_out() {
        let component = |module: Module, names: bool| {
            let mut component = Component::new();
            component.section(&ModuleSection(&Module::new()));
            component.section(&ModuleSection(&module));
            component.section(&ModuleSection(&Module::new()));
            if names {
                let data = [0].as_slice().into();
                component.section(&CustomSection { name: "component-name".into(), data });
            }
            component.finish()
        };
        let before = component(module("before"), true);
        let after = around_module(&before, |inside| {
            assert_eq!(inside, module("before").finish());
            Ok(module("a longer one").finish())
        });
        assert_eq!(after.unwrap(), component(module("a longer one"), false));
    }

    #[test]
    fn what_is_no_component_is_refused() {
        let strange: [&[u8]; 4] =
            [b"", b"\0asm", b"\0asm\x0d\0\x01\0", b"\0asm\x0d\0\x01\0\x01\xff"];
        for binary in strange {
            assert!(around_module(binary, |inside| Ok(inside.to_vec())).is_err());
        }
    }
}
