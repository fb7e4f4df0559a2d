//! Values while a program is evaluated.

use crate::programs::ast::{Base, Ty};
use crate::programs::json::Json;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// An integer.
    Int(i128),
    /// A bool.
    Flag(bool),
    /// A string.
    Text(Vec<u8>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// An address: an offset in one of the known places.
    Pointer(Base, i64),
}

impl Value {
    /// What a type's missing value reads as.
    pub(super) fn zero(ty: &Ty) -> Value {
        match ty {
            Ty::Int(_) => Value::Int(0),
            Ty::Bool => Value::Flag(false),
            Ty::Text => Value::Text(vec![]),
            Ty::Tuple(of) => Value::Tuple(of.iter().map(Value::zero).collect()),
            Ty::Pointer(_) => Value::Pointer(Base::Buffer, -1),
        }
    }

    pub(super) fn int(&self) -> i128 {
        match self {
            Value::Int(n) => *n,
            Value::Flag(b) => i128::from(*b),
            _ => 0,
        }
    }

    pub(super) fn truth(&self) -> bool {
        self.int() != 0
    }

    pub(super) fn text(&self) -> &[u8] {
        if let Value::Text(t) = self { t } else { &[] }
    }

    /// As `print` shows it.
    pub(super) fn json(&self) -> Json {
        match self {
            Value::Int(n) => Json::Number(*n),
            Value::Flag(b) => Json::Flag(*b),
            Value::Text(t) => Json::text(String::from_utf8_lossy(t).into_owned()),
            Value::Tuple(of) => Json::List(of.iter().map(Value::json).collect()),
            Value::Pointer(..) => Json::Null,
        }
    }

    /// As a part of a map's key is shown.
    pub(super) fn key(&self) -> String {
        match self {
            Value::Int(n) => n.to_string(),
            Value::Flag(b) => b.to_string(),
            Value::Text(t) => String::from_utf8_lossy(t).into_owned(),
            Value::Tuple(of) => format!("({})", keys(of)),
            Value::Pointer(..) => "?".into(),
        }
    }
}

/// A whole key as it is shown: a tuple is like several keys.
pub(super) fn keys(of: &[Value]) -> String {
    if let [Value::Tuple(parts)] = of {
        return keys(parts);
    }
    of.iter().map(Value::key).collect::<Vec<_>>().join(",")
}
