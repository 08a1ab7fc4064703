//! `/api/v1/cameras/{id}/controls`: a camera's controls such as brightness, exposure and focus, whether or not it is running.

use super::api::{Api, routes};
use super::caller::Caller;
use super::input::{Json, Path};
use super::json;
use super::problem::Problem;
use super::state::Shared;
use axum::response::Response;
use perch_site::controls;
use perch_studio::capture::controls::{Control, ControlKind, Values};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Controls that one request can set; no camera has more.
const MOST_CHANGES: usize = 128;

pub(super) fn routes() -> Api {
    Api::new().routes(routes!(set))
}

/// A control of a camera.
#[derive(Serialize, ToSchema)]
#[schema(as = Control)]
pub(super) struct ControlItem {
    /// Its name in requests: the same for every camera of this kind.
    id: String,
    /// The driver's name for people.
    name: String,
    /// `integer`, `boolean`, `menu` or `button`.
    #[schema(value_type = String)]
    kind: &'static str,
    /// Null if it cannot be read, as with buttons. 0 or 1 for a boolean, the value of an item for a menu.
    #[schema(required)]
    value: Option<i32>,
    min: i32,
    max: i32,
    step: u32,
    default: i32,
    /// Items of a menu.
    items: Vec<MenuItem>,
    /// True if it cannot be set.
    read_only: bool,
    /// True if it has no effect now, mostly because an automatic mode is on.
    inactive: bool,
}

/// An item of a menu.
#[derive(Serialize, ToSchema)]
struct MenuItem {
    value: i32,
    name: String,
}

impl From<Control> for ControlItem {
    fn from(control: Control) -> Self {
        let kind = match control.kind {
            ControlKind::Integer => "integer",
            ControlKind::Boolean => "boolean",
            ControlKind::Menu => "menu",
            ControlKind::Button => "button",
        };
        Self {
            id: control.key,
            name: control.name,
            kind,
            value: control.value,
            min: control.minimum,
            max: control.maximum,
            step: control.step,
            default: control.default,
            items: control.items.into_iter().map(|(value, name)| MenuItem { value, name }).collect(),
            read_only: control.is_read_only,
            inactive: control.is_inactive,
        }
    }
}

/// The controls with their present values.
#[derive(Serialize, ToSchema)]
struct Controls {
    controls: Vec<ControlItem>,
}

/// Values to set, by the controls' ids.
#[derive(Debug)]
struct Changes(Values);

impl<'de> Deserialize<'de> for Changes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Changes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of control ids and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Changes, A::Error> {
                let mut values = Values::new();
                while let Some((key, Value(value))) = map.next_entry::<String, Value>()? {
                    if values.len() == MOST_CHANGES {
                        return Err(A::Error::custom(format!(
                            "at most {MOST_CHANGES} controls can be set at once"
                        )));
                    }
                    if values.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("duplicate field `{key}`")));
                    }
                }
                Ok(Changes(values))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A control's value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes what `Value` reads")]
enum ControlValue {
    Number(i32),
    Switch(bool),
}

#[derive(Debug)]
struct Value(i32);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrSwitch;
        impl Visitor<'_> for NumberOrSwitch {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of 32 bits, true or false")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value(value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
                i32::try_from(value)
                    .map(Value)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
                i32::try_from(value)
                    .map(Value)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(value), &self))
            }
        }
        deserializer.deserialize_any(NumberOrSwitch)
    }
}

/// Sets controls of a camera, all or none: `{"brightness": 10, "white_balance_automatic": false}`. The values are saved, and set
/// again whenever the camera is opened. Drivers round to a control's steps.
#[utoipa::path(patch, path = "/api/v1/cameras/{id}/controls", tag = "cameras", params(("id" = String, Path, description = "The camera's name")),
    request_body = std::collections::HashMap<String, ControlValue>,
    responses((status = 200, description = "All controls with their present values", body = Controls)))]
async fn set(
    state: Shared,
    caller: Caller,
    Path(id): Path<String>,
    Json(Changes(values)): Json<Changes>,
) -> Result<Response, Problem> {
    let controls = controls::set(&state.site, &caller.actor, &id, values).await?;
    Ok(json::fresh(&Controls { controls: controls.into_iter().map(ControlItem::from).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Values, String> {
        serde_json::from_str::<Changes>(text).map(|changes| changes.0).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_and_switches_are_values_and_nothing_else_is() {
        let values = read(r#"{"brightness": -3, "gain_automatic": true, "hue": 2147483647}"#).unwrap();
        let expected = [("brightness", -3), ("gain_automatic", 1), ("hue", i32::MAX)];
        assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value)).into());
        for wrong in [
            r#"{"a": 1.5}"#,
            r#"{"a": "1"}"#,
            r#"{"a": null}"#,
            r#"{"a": 2147483648}"#,
            r#"{"a": -2147483649}"#,
            r#"{"a": 1, "a": 2}"#,
            "[]",
            r#"{"a": {}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..=MOST_CHANGES).map(|number| format!("\"c{number}\":1")).collect();
        assert!(read(&format!("{{{}}}", many.join(","))).unwrap_err().contains("at most 128"));
    }
}
