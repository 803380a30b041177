use worker::js_sys::Uint8Array;
use worker::wasm_bindgen_futures::JsFuture;
use worker::{
    Context, DurableObject, Env, Request, Response, Result, State, durable_object, event,
    wasm_bindgen,
};

/// `/empty` answers at once, `/form` when it has read the body, `/read/{name}` and `/write/{name}` ask the object of that name.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    match path.rsplit_once('/') {
        Some(("/read" | "/write", name)) => {
            env.durable_object("FLOOR")?
                .get_by_name(name)?
                .fetch_with_str(request.inner().url().as_str())
                .await
        }
        _ if path == "/form" => {
            let body = JsFuture::from(request.inner().array_buffer()?).await?;
            Response::ok(Uint8Array::new(&body).to_vec().len().to_string())
        }
        _ => Response::ok("ok"),
    }
}

/// One row in SQLite.
#[durable_object]
pub struct Floor {
    state: State,
}

impl DurableObject for Floor {
    fn new(state: State, _env: Env) -> Self {
        let table = "create table if not exists floor (id integer primary key, n integer)";
        // If that fails, so does the first request.
        let _ = state.storage().sql().exec(table, None);
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let sql = self.state.storage().sql();
        if request.path().starts_with("/write") {
            let add =
                "insert into floor (id, n) values (1, 1) on conflict (id) do update set n = n + 1";
            sql.exec(add, None)?;
            return Response::ok("ok");
        }
        #[derive(serde::Deserialize)]
        struct Row {
            n: u32,
        }
        let rows: Vec<Row> = sql.exec("select n from floor where id = 1", None)?.to_array()?;
        Response::ok(rows.first().map_or(0, |row| row.n).to_string())
    }
}
