//! JavaScript in small pieces.

use worker::Env;
use worker::js_sys::{Array, Function, Promise};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

/// The value of an expression.
pub(crate) fn eval(expression: &str) -> JsValue {
    call(expression, &[])
}

/// The value of an expression in which `a` and `b` stand for the arguments.
pub(crate) fn call(expression: &str, arguments: &[&JsValue]) -> JsValue {
    let function = Function::new_with_args("a, b", &format!("return ({expression});"));
    let list: Array = arguments.iter().copied().collect();
    function.apply(&JsValue::UNDEFINED, &list).expect("an expression without errors")
}

/// The text that an expression comes to, once it is settled.
pub(crate) async fn text(expression: &str, argument: &JsValue) -> String {
    let promise: Promise = call(&format!("Promise.resolve({expression})"), &[argument]).into();
    JsFuture::from(promise).await.expect("a result").as_string().expect("a text")
}

/// The bindings of a Worker.
pub(crate) fn env(expression: &str) -> Env {
    // Under Node a timer is an object; a Worker's is a number, and the SDK insists on it.
    eval(
        "globalThis.numbered ??= (() => { const start = globalThis.setTimeout; \
         globalThis.setTimeout = (...given) => +start(...given); return true; })()",
    );
    eval(expression).unchecked_into()
}

/// Collects what is written to a method of the console, until it is dropped.
pub(crate) struct Console {
    method: &'static str,
    original: JsValue,
    written: JsValue,
}

impl Console {
    pub(crate) fn capture(method: &'static str) -> Self {
        let original = eval(&format!("console.{method}"));
        let written = eval("[]");
        let replace = format!("console.{method} = (...parts) => a.push(parts.join(' '))");
        call(&replace, &[&written]);
        Self { method, original, written }
    }

    pub(crate) fn written(&self) -> Vec<String> {
        let list: &Array = self.written.unchecked_ref();
        list.iter().map(|line| line.as_string().expect("a text")).collect()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        call(&format!("console.{} = a", self.method), &[&self.original]);
    }
}
