//! Output of `--json`: the statuses of the core in a form that other programs read without knowing hinomi. docs/json.md describes it.
//!
//! - The key `version` is that of this format. A key that goes away or changes its meaning raises it; a new key does not.
//! - A moment is RFC 3339 in UTC, such as `2026-11-22T13:45:16.250Z`.
//! - A number that may be unknown is a number or null; beside null stands why, under the key with `_unknown` after it.

use super::Failure;
use crate::model::Wall;
use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde_json::{Error, Map, Number, Value};

/// Of the format.
pub(super) const VERSION: u32 = 1;

/// An object with its keys beside `version`.
pub(super) fn object<T: Serialize>(value: &T) -> Result<String, Failure> {
    match value.serialize(Public) {
        Ok(Out::Known(Value::Object(keys))) => text(keys),
        Ok(_) => Err(failed("this is no object")),
        Err(e) => Err(failed(e)),
    }
}

/// A list under a key beside `version`.
pub(super) fn list<T: Serialize>(key: &str, values: &[T]) -> Result<String, Failure> {
    let mut keys = Map::new();
    put(&mut keys, key, values.serialize(Public).map_err(failed)?);
    text(keys)
}

fn text(keys: Map<String, Value>) -> Result<String, Failure> {
    let mut all = Map::new();
    all.insert("version".to_owned(), Value::from(VERSION));
    all.extend(keys);
    serde_json::to_string_pretty(&all).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(1, format!("cannot write JSON: {error}"))
}

/// A moment as JSON has it.
pub(super) fn moment(at: Wall) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.to_string()
}

/// What became of a value.
enum Out {
    Known(Value),
    /// `Err` of a result: why there is no value.
    Unknown(Value),
}

impl Out {
    /// Where no key is at hand for the reason.
    fn alone(self) -> Value {
        match self {
            Out::Known(value) => value,
            Out::Unknown(why) => Value::Object(Map::from_iter([("unknown".to_owned(), why)])),
        }
    }
}

fn put(keys: &mut Map<String, Value>, key: &str, out: Out) {
    match out {
        Out::Known(value) => keys.insert(key.to_owned(), value),
        Out::Unknown(why) => {
            keys.insert(key.to_owned(), Value::Null);
            keys.insert(format!("{key}_unknown"), why)
        }
    };
}

/// Writes a value in the public form.
struct Public;

/// A list that grows.
struct List {
    items: Vec<Value>,
    /// The name of a variant around it.
    variant: Option<&'static str>,
}

/// An object that grows.
struct Object {
    keys: Map<String, Value>,
    next: Option<String>,
    /// The name of a variant around it.
    variant: Option<&'static str>,
}

fn within(variant: Option<&'static str>, value: Value) -> Out {
    Out::Known(match variant {
        Some(name) => Value::Object(Map::from_iter([(name.to_owned(), value)])),
        None => value,
    })
}

impl List {
    fn of(variant: Option<&'static str>) -> List {
        List {
            items: Vec::new(),
            variant,
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.push(value.serialize(Public)?.alone());
        Ok(())
    }

    fn done(self) -> Out {
        within(self.variant, Value::Array(self.items))
    }
}

impl Object {
    fn of(variant: Option<&'static str>) -> Object {
        Object {
            keys: Map::new(),
            next: None,
            variant,
        }
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        put(&mut self.keys, key, value.serialize(Public)?);
        Ok(())
    }

    fn done(self) -> Out {
        within(self.variant, Value::Object(self.keys))
    }
}

/// Scalars go as serde_json has them.
macro_rules! scalars {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, v: $type) -> Result<Out, Error> {
            Ok(Out::Known(Value::from(v)))
        })*
    };
}

impl serde::Serializer for Public {
    type Ok = Out;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Object;
    type SerializeStruct = Object;
    type SerializeStructVariant = Object;

    scalars!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_str: &str);

    fn serialize_f32(self, v: f32) -> Result<Out, Error> {
        self.serialize_f64(f64::from(v))
    }

    fn serialize_f64(self, v: f64) -> Result<Out, Error> {
        // JSON has no infinity.
        Ok(Out::Known(Number::from_f64(v).map_or(Value::Null, Value::Number)))
    }

    fn serialize_char(self, v: char) -> Result<Out, Error> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<Out, Error> {
        v.serialize(self)
    }

    fn serialize_none(self) -> Result<Out, Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Out, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Out, Error> {
        Ok(Out::Known(Value::Null))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Out, Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Out, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<Out, Error> {
        match (name, value.serialize(Public)?) {
            ("Wall", Out::Known(Value::Number(n))) => Ok(Out::Known(match n.as_i64() {
                // Zero stands for "not yet".
                Some(0) | None => Value::Null,
                Some(ms) => Value::String(moment(Wall(ms))),
            })),
            (_, out) => Ok(out),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Out, Error> {
        let out = value.serialize(Public)?;
        match (name, variant) {
            ("Result", "Ok") => Ok(out),
            ("Result", "Err") => Ok(Out::Unknown(out.alone())),
            _ => Ok(within(Some(variant), out.alone())),
        }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List, Error> {
        Ok(List::of(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<List, Error> {
        Ok(List::of(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List, Error> {
        Ok(List::of(None))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<List, Error> {
        Ok(List::of(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object, Error> {
        Ok(Object::of(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object, Error> {
        Ok(Object::of(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Object, Error> {
        Ok(Object::of(Some(variant)))
    }
}

/// The four kinds of lists differ in the names of their methods only.
macro_rules! grows_as_list {
    ($($kind:ident: $method:ident),*) => {
        $(impl $kind for List {
            type Ok = Out;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }

            fn end(self) -> Result<Out, Error> {
                Ok(self.done())
            }
        })*
    };
}

grows_as_list!(SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field);

macro_rules! grows_as_object {
    ($($kind:ident),*) => {
        $(impl $kind for Object {
            type Ok = Out;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.field(key, value)
            }

            fn end(self) -> Result<Out, Error> {
                Ok(self.done())
            }
        })*
    };
}

grows_as_object!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Object {
    type Ok = Out;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next = Some(match key.serialize(Public)?.alone() {
            Value::String(key) => key,
            Value::Number(key) => key.to_string(),
            other => return Err(Error::custom(format!("{other} cannot be a key"))),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.next.take().ok_or_else(|| Error::custom("a value without a key"))?;
        self.field(&key, value)
    }

    fn end(self) -> Result<Out, Error> {
        Ok(self.done())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Sample {
        since: Wall,
        never: Wall,
        load: Result<f64, String>,
        rate: Result<f64, String>,
        pairs: Vec<(Wall, Result<u8, String>)>,
        map: BTreeMap<u8, Option<bool>>,
        infinite: f64,
    }

    #[test]
    fn moments_are_rfc_3339_and_no_result_shows_its_rust() {
        let sample = Sample {
            since: Wall(1_764_000_000_250),
            never: Wall(0),
            load: Ok(85.0),
            rate: Err("warming-up".to_owned()),
            pairs: vec![(Wall(1000), Err("gone".to_owned()))],
            map: BTreeMap::from([(3, Some(true)), (4, None)]),
            infinite: f64::INFINITY,
        };
        let text = object(&sample).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap();
        let wanted = serde_json::json!({
            "version": 1,
            "since": "2025-11-24T16:00:00.25Z",
            "never": null,
            "load": 85.0,
            "rate": null,
            "rate_unknown": "warming-up",
            "pairs": [["1970-01-01T00:00:01Z", { "unknown": "gone" }]],
            "map": { "3": true, "4": null },
            "infinite": null,
        });
        assert_eq!(value, wanted);
        assert!(object(&3).is_err(), "a bare value has no place for the version");
    }
}
