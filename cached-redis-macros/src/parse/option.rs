//! An option as it is written, and what its value is read as.

use proc_macro2::Ident;
use syn::{Expr, ExprLit, Lit, LitStr, Path};

use crate::parse::errors::Errors;
use crate::parse::syntax::{literal, peel_expr};

/// `name`, `name = value` or `name(a, b)`.
pub(crate) struct Written {
    pub(crate) name: Ident,
    pub(super) value: Value,
    /// What is wrong with its form: told when it is [read](Self::read), as somebody knows then that there is such an option.
    pub(super) mistake: Errors,
}

/// `name(element in all)`.
#[derive(Clone)]
pub(crate) struct Each {
    pub(crate) element: Ident,
    pub(crate) all: Ident,
}

/// An option that needs no value.
#[derive(Clone)]
pub(crate) struct Word {
    pub(crate) name: Ident,
    pub(crate) value: Option<LitStr>,
}

pub(super) enum Value {
    Nothing,
    Expr(Expr),
    List(Vec<Ident>),
    Each(Each),
    Unreadable,
}

impl Written {
    /// Stores the option, and tells whether it could; the second of one name is refused.
    pub(crate) fn set<T>(
        self,
        slot: &mut Option<T>,
        read: fn(&Self, &mut Errors) -> Option<T>,
        errors: &mut Errors,
    ) -> bool {
        if slot.is_some() {
            let message = format!("`{}` is given twice", self.name);
            errors.refuse(&self.name, message, "keep one of them");
            return false;
        }
        *slot = self.read(read, errors);
        slot.is_some()
    }

    /// Tells what is wrong with its form, and reads the value.
    pub(crate) fn read<T>(
        mut self,
        read: fn(&Self, &mut Errors) -> Option<T>,
        errors: &mut Errors,
    ) -> Option<T> {
        errors.append(std::mem::take(&mut self.mistake));
        read(&self, errors)
    }

    pub(crate) fn expression(&self, errors: &mut Errors) -> Option<Expr> {
        let Value::Expr(value) = &self.value else {
            return self.wrong("a value", &format!("write `{} = …`", self.name), errors);
        };
        Some(value.clone())
    }

    pub(crate) fn string(&self, errors: &mut Errors) -> Option<LitStr> {
        let value = self.expression(errors)?;
        literal(&value).or_else(|| {
            let (message, help) = self.no_string(peel_expr(&value));
            errors.refused(value, message, help)
        })
    }

    /// Why this expression is no string, and what to write.
    fn no_string(&self, value: &Expr) -> (String, String) {
        let name = &self.name;
        match value {
            Expr::Macro(_) => (
                format!("`{name}` is a template, and no expression"),
                format!(
                    "write the text itself, with parameters in `<…>`: `{name} = \"user:<id>\"`"
                ),
            ),
            Expr::Array(_) => (
                format!("`{name}` takes one string"),
                format!("write it once for each: `{name} = \"…\", {name} = \"…\"`"),
            ),
            _ => (
                format!("`{name}` is not given as a string literal"),
                format!("write `{name} = \"…\"`"),
            ),
        }
    }

    /// The name alone, or with a string.
    pub(crate) fn word(&self, errors: &mut Errors) -> Option<Word> {
        let name = self.name.clone();
        let value = match &self.value {
            Value::Nothing => None,
            Value::Expr(_) => Some(self.string(errors)?),
            _ => {
                let help = format!("write `{name}`, or `{name} = \"…\"`");
                return self.wrong("no list", &help, errors);
            }
        };
        Some(Word { name, value })
    }

    /// The name alone.
    pub(crate) fn flag(&self, errors: &mut Errors) -> Option<()> {
        let Value::Nothing = &self.value else {
            let help = format!("write `{}`, or leave it out", self.name);
            return self.wrong("no value", &help, errors);
        };
        Some(())
    }

    pub(crate) fn names(&self, errors: &mut Errors) -> Option<Vec<Ident>> {
        let Value::List(names) = &self.value else {
            let help = format!("write `{}(a, b)`", self.name);
            return self.wrong("a list of parameters", &help, errors);
        };
        Some(names.clone())
    }

    /// An element and the parameter that it is of.
    pub(crate) fn each(&self, errors: &mut Errors) -> Option<Each> {
        let Value::Each(each) = &self.value else {
            let help = format!(
                "write `{}(id in ids)`, where `ids` is the parameter and `<id>` stands in the key",
                self.name
            );
            return self.wrong("a name for one element of a parameter", &help, errors);
        };
        Some(each.clone())
    }

    pub(crate) fn codec(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.expression(errors)?;
        let help = "write `bincode`, `msgpack`, `json`, or the path of your own codec";
        path(&value).or_else(|| errors.refused(peel_expr(&value), "this is no codec", help))
    }

    /// The path of a function.
    pub(crate) fn function(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.expression(errors)?;
        let message = format!("`{}` is not given as the path of a function", self.name);
        let help = format!("write `{} = path::to::it`", self.name);
        path(&value).or_else(|| errors.refused(peel_expr(&value), message, help))
    }

    /// `true` or `false`.
    pub(crate) fn switch(&self, errors: &mut Errors) -> Option<bool> {
        let value = self.expression(errors)?;
        match peel_expr(&value) {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(switch),
                ..
            }) => Some(switch.value),
            other => {
                let message = format!("`{}` is neither `true` nor `false`", self.name);
                errors.refused(other, message, format!("write `{} = false`", self.name))
            }
        }
    }

    /// A path, or the same inside a string.
    pub(crate) fn krate(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.expression(errors)?;
        let in_text = |text: LitStr| text.parse_with(Path::parse_mod_style).ok();
        let path = path(&value).or_else(|| literal(&value).and_then(in_text));
        let help = "write `crate = path::to::cached_redis`";
        path.or_else(|| errors.refused(value, "`crate` is not given as a path", help))
    }

    /// Refuses a value of another form.
    fn wrong<T>(&self, needs: &str, help: &str, errors: &mut Errors) -> Option<T> {
        if let Value::Unreadable = self.value {
            return None; // its mistake says so
        }
        errors.refused(&self.name, format!("`{}` needs {needs}", self.name), help)
    }
}

fn path(value: &Expr) -> Option<Path> {
    match peel_expr(value) {
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        _ => None,
    }
}
