//! `--stub-imports`: functions that trap in place of those that nobody provides.

use super::state::State;
use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wasmtime::{ExternType, Module, Store};

/// A stub was called.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is a stub: nobody provides it")]
pub struct StubCalled(pub String);

/// The interfaces that a component's linker provides, in any version 0.2.x.
/// wasmtime's own way of stubbing knows only exact versions, and would put its
/// stubs in front of a compatible one.
const PROVIDED: [&str; 27] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

fn is_provided(import: &str) -> bool {
    import
        .split_once("@0.2.")
        .is_some_and(|(interface, _)| PROVIDED.contains(&interface))
}

/// Puts stubs in place of the functions that a core module imports and nobody
/// provides; the memory that a rewritten one imports is no such import.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn for_module(linker: &mut wasmtime::Linker<State>, module: &Module) -> wasmtime::Result<()> {
    let mut store = Store::new(module.engine(), State::nothing());
    for import in module.imports() {
        let there = linker.get_by_import(&mut store, &import);
        if let (None, ExternType::Func(ty)) = (there, import.ty()) {
            let name = format!("{}::{}", import.module(), import.name());
            linker.func_new(import.module(), import.name(), ty, move |_, _, _| {
                Err(StubCalled(name.clone()).into())
            })?;
        }
    }
    Ok(())
}

/// What a component imports and nobody provides: names, each with whether there is a stub for
/// it.
pub fn missing(component: &Component) -> Vec<(String, bool)> {
    let engine = component.engine();
    let component = component.component_type();
    let imports = component.imports(engine);
    imports
        .filter(|(name, _)| !is_provided(name))
        .map(|(name, item)| {
            let stub = matches!(
                item.ty,
                ComponentItem::ComponentInstance(_) | ComponentItem::ComponentFunc(_)
            );
            (name.to_owned(), stub)
        })
        .collect()
}

/// Puts stubs in place of what a component imports and nobody provides.
///
/// # Errors
/// If an import is of a kind for which there is no stub.
pub fn for_component(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine().clone();
    let imports: Vec<_> = component
        .component_type()
        .imports(&engine)
        .filter(|(name, _)| !is_provided(name))
        .map(|(name, item)| (name.to_owned(), item.ty))
        .collect();
    for (name, item) in imports {
        match item {
            ComponentItem::ComponentInstance(instance) => {
                let mut linker = linker.root();
                stub_instance(&mut linker.instance(&name)?, &name, &instance, &engine)?;
            }
            item => stub(&mut linker.root(), &name, name.clone(), &item)?,
        }
    }
    Ok(())
}

fn stub_instance(
    linker: &mut LinkerInstance<'_, State>,
    interface: &str,
    instance: &ComponentInstance,
    engine: &wasmtime::Engine,
) -> wasmtime::Result<()> {
    for (name, item) in instance.exports(engine) {
        stub(linker, name, format!("{interface}#{name}"), &item.ty)?;
    }
    Ok(())
}

fn stub(
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
    full_name: String,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(_) => linker.func_new(name, move |_, _, _, _| {
            Err(StubCalled(full_name.clone()).into())
        }),
        ComponentItem::Resource(_) => {
            linker.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_of_what_is_provided_are_not_stubbed() {
        assert!(is_provided("wasi:cli/environment@0.2.6"));
        assert!(is_provided("wasi:sockets/udp@0.2.0"));
        assert!(!is_provided("wasi:cli/environment@0.3.0"));
        assert!(!is_provided("wasi:http/types@0.2.0"));
        assert!(!is_provided("mine:own/thing"));
    }
}
