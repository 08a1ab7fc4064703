//! The API's document (`OpenAPI` 3.1): addresses come from the handlers' descriptions, rights from the table of rules; responses
//! that any request may get are added here, once.

use super::api::{Api, routes};
use super::barred::BarredLine;
use super::caching;
use super::rights::rule_of;
use super::rules::{Right, Rule};
use super::state::Shared;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder,
};

/// A problem (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it describes what problem.rs writes")]
pub(super) struct ProblemDocument {
    /// Always `about:blank`: `code` distinguishes problems.
    r#type: String,
    /// The status as text.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A stable code, for programs.
    #[schema(pattern = "^[a-z_]+$")]
    code: String,
    /// An explanation for people.
    detail: String,
    /// The field of the request that is wrong, if any.
    field: Option<String>,
    /// The ban that keeps the caller out of a chat, if that is the problem.
    barred: Option<BarredLine>,
}

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(show))
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "system", responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn show(state: Shared, headers: HeaderMap) -> Response {
    let document: &Bytes = &state.openapi;
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    let tag = HeaderValue::try_from(format!("\"{:x}\"", hasher.finish())).expect("digits are a header value");
    let mut response = if caching::is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/json")], document.clone()).into_response()
    };
    response.headers_mut().insert(ETAG, tag);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Completes the document generated from the handlers.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    api.info = InfoBuilder::new()
        .title("Perch")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The HTTP interface of a Perch: people, streams, chat and the machine itself."))
        .build();
    let components = api.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), <ProblemDocument as utoipa::PartialSchema>::schema());
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKey::Cookie(ApiKeyValue::new("perch_access"));
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(name_of(&method, path));
            complete_operation(operation, rule_of(&method, path));
        }
    }
    api
}

/// A unique name for every operation: `get_me_sessions`.
fn name_of(method: &http::Method, path: &str) -> String {
    let parts = path.trim_start_matches("/api/v1").split(['/', '.']);
    let parts = parts.map(|part| part.trim_matches(['{', '}', '*'])).filter(|part| !part.is_empty());
    let parts: Vec<_> =
        std::iter::once(method.as_str().to_lowercase()).chain(parts.map(str::to_owned)).collect();
    parts.join("_").replace('-', "_")
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (http::Method, &mut Operation)> {
    [
        (http::Method::GET, &mut item.get),
        (http::Method::PUT, &mut item.put),
        (http::Method::POST, &mut item.post),
        (http::Method::PATCH, &mut item.patch),
        (http::Method::DELETE, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds the right, and the problems of any such request.
fn complete_operation(operation: &mut Operation, rule: Option<&Rule>) {
    let mut usual = vec![
        (StatusCode::UNAUTHORIZED, "not logged in, or the access token has expired"),
        (StatusCode::FORBIDDEN, "not allowed for this account, or requested by another site's page"),
        (StatusCode::TOO_MANY_REQUESTS, "too many requests, see Retry-After"),
        (StatusCode::INTERNAL_SERVER_ERROR, "an internal error; see the log"),
        (StatusCode::SERVICE_UNAVAILABLE, "busy or not ready, see Retry-After"),
        (StatusCode::INSUFFICIENT_STORAGE, "the card is full"),
    ];
    let parameters = operation.parameters.as_deref().unwrap_or(&[]);
    let has_any = |location: ParameterIn| {
        parameters
            .iter()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == location))
    };
    if has_any(ParameterIn::Query) {
        usual.push((StatusCode::BAD_REQUEST, "invalid query parameter"));
    }
    if has_any(ParameterIn::Path) {
        usual.push((StatusCode::NOT_FOUND, "there is nothing at this address"));
    }
    if operation.request_body.is_some() {
        usual.extend([
            (StatusCode::BAD_REQUEST, "unreadable body"),
            (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
            (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong content type"),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid field"),
        ]);
    }
    usual.extend([
        (StatusCode::BAD_REQUEST, "no Host header, or several"),
        (StatusCode::MISDIRECTED_REQUEST, "the Host is none of this site's"),
    ]);
    for (status, description) in usual {
        let problem = Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(problem)).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build();
        let declared = operation.responses.responses.entry(status.as_str().to_owned());
        declared.or_insert(RefOr::T(response));
    }
    let Some(rule) = rule else { return };
    let words = match rule.right {
        Right::Anyone => "anyone",
        Right::Member => "members",
        Right::Streamer => "streamers",
        Right::Owner => "owners",
        Right::ListedOrOwner => "owners, and the addresses in metrics_from",
    };
    let who =
        if rule.note.is_empty() { format!("For {words}.") } else { format!("For {words}; {}.", rule.note) };
    operation.description = Some(match operation.description.take() {
        Some(description) => format!("{description}\n\n{who}"),
        None => who,
    });
    let login = ["bearer", "cookie"].map(|scheme| SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []));
    let anonymous = (rule.right == Right::Anyone).then(SecurityRequirement::default);
    operation.security = Some(login.into_iter().chain(anonymous).collect());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;
    use crate::router::document;
    use std::collections::BTreeSet;

    /// Addresses outside the API, besides the page: those for players, and those for other programs on the machine.
    const UNDOCUMENTED: [&str; 4] = ["/media/{id}/{name}", "/healthz", "/readyz", "/metrics"];

    /// The names of the schemas that a source file defines.
    fn schemas(source: &str) -> Vec<String> {
        let mut names = Vec::new();
        for definition in source
            .split("#[derive(")
            .skip(1)
            .filter(|rest| rest.lines().next().unwrap_or("").contains("ToSchema"))
        {
            let head: Vec<_> = definition.lines().take_while(|line| !line.ends_with('{')).collect();
            let item = definition.lines().nth(head.len()).unwrap_or_default();
            let renamed = head.iter().find_map(|line| line.split_once("schema(as = ").map(|(_, rest)| rest));
            let name = renamed
                .or_else(|| item.split_once("struct ").or(item.split_once("enum ")).map(|(_, rest)| rest));
            let letters = |name: &str| name.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            names.extend(name.map(letters));
        }
        names
    }

    /// Of two schemas of one name the document has one, and the answers of the other contradict it.
    #[test]
    fn no_two_schemas_have_one_name() {
        let mut names = Vec::new();
        let mut folders: Vec<_> = ["web", "site", "studio", "store", "device"]
            .map(|house| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(house).join("src"))
            .into();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    names.extend(schemas(&std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        assert!(names.len() > 60, "{names:?}");
        names.sort();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn every_address_has_a_rule_and_every_rule_an_address() {
        let mut document = document();
        let documented: BTreeSet<(String, String)> = document
            .paths
            .paths
            .iter_mut()
            .flat_map(|(path, item)| {
                operations(item).map(|(method, _)| (path.clone(), method.to_string())).collect::<Vec<_>>()
            })
            .collect();
        let ruled = crate::rules::RULES
            .iter()
            .filter(|rule| !UNDOCUMENTED.contains(&rule.path) && !page::is_part(rule.path));
        let ruled: BTreeSet<(String, String)> =
            ruled.map(|rule| (rule.path.to_owned(), rule.method.to_owned())).collect();
        let without_rule: Vec<_> = documented.difference(&ruled).collect();
        let without_handler: Vec<_> = ruled.difference(&documented).collect();
        assert!(
            without_rule.is_empty() && without_handler.is_empty(),
            "{without_rule:?} {without_handler:?}"
        );
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut document = document();
        let items = document.paths.paths.values_mut();
        let names: Vec<_> =
            items.flat_map(operations).filter_map(|(_, of)| of.operation_id.clone()).collect();
        assert!(names.contains(&"delete_me_sessions_id".to_owned()), "{names:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text: serde_json::Value = serde_json::from_str(&document().to_json().unwrap()).unwrap();
        assert_eq!(text["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
        let mut open = vec![&text];
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Object(fields) => {
                    if let Some(to) = fields.get("$ref").and_then(|to| to.as_str()) {
                        assert!(text.pointer(&to[1..]).is_some(), "{to}");
                    }
                    open.extend(fields.values());
                }
                serde_json::Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
