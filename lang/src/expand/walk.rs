//! The walk over the tree that replaces names and calls in place.

use super::registry::{Found, fits, param_name};
use super::{Expander, Frame, MAX_DEPTH, MAX_NODES, measure};
use crate::ast::{Block, CDef, CDefKind, CStruct, Expr, ExprKind, Macro, MacroParam, Name, Stmt, StmtKind};
use crate::{Diagnostic, Span};
use std::collections::HashSet;
use std::rc::Rc;

impl<'a> Expander<'a> {
    /// Array sizes and enum values may name `#define`s.
    pub(super) fn c_def(&mut self, def: &mut CDef) {
        match &mut def.kind {
            CDefKind::Struct(s) => self.c_struct(s),
            CDefKind::Enum { values, .. } => {
                for value in values.iter_mut().filter_map(|(_, v)| v.as_mut()) {
                    self.expr(value);
                }
            }
            CDefKind::Typedef { ty, .. } => self.type_expr(ty),
            CDefKind::Define { .. } | CDefKind::Include { .. } => {}
        }
    }

    fn c_struct(&mut self, s: &mut CStruct) {
        for field in &mut s.fields {
            self.type_expr(&mut field.ty);
            if let Some(inner) = &mut field.inline {
                self.c_struct(inner);
            }
        }
    }

    pub(super) fn block(&mut self, b: &mut Block) {
        for s in &mut b.stmts {
            self.stmt(s);
        }
        if let Some(value) = &mut b.value {
            self.expr(value);
        }
    }

    fn stmt(&mut self, s: &mut Stmt) {
        match &mut s.kind {
            StmtKind::Expr(e) | StmtKind::Discard(e) => self.expr(e),
            StmtKind::Let { name, ty, value } => {
                self.declare(name);
                if let Some(ty) = ty {
                    self.type_expr(ty);
                }
                self.exprs(value);
            }
            StmtKind::Assign { target, value, .. } => {
                self.expr(target);
                self.expr(value);
            }
            StmtKind::If { cond, then, otherwise } => {
                self.expr(cond);
                self.block(then);
                if let Some(b) = otherwise {
                    self.block(b);
                }
            }
            StmtKind::While { cond: e, body } | StmtKind::Unroll { count: e, body } => {
                self.expr(e);
                self.block(body);
            }
            StmtKind::ForRange { var, start, end, body } => {
                self.expr(start);
                self.expr(end);
                self.declare(var);
                self.block(body);
            }
            StmtKind::ForMap { var, map, body } => {
                self.declare(var);
                map.text = self.map(&map.text, map.span);
                self.block(body);
            }
            StmtKind::Return(value) => self.exprs(value),
            StmtKind::Block(b) => self.block(b),
            StmtKind::Break | StmtKind::Continue => {}
        }
    }

    fn exprs<'e>(&mut self, list: impl IntoIterator<Item = &'e mut Expr>) {
        for e in list {
            self.expr(e);
        }
    }

    pub(super) fn expr(&mut self, e: &mut Expr) {
        let span = e.span;
        match &mut e.kind {
            ExprKind::Ident(name) => {
                let name = name.clone();
                if let Some(new) = self.ident(&name, span) {
                    *e = new;
                }
            }
            ExprKind::Call { name, args } => {
                for arg in args.iter_mut() {
                    self.expr(arg);
                }
                let name = name.clone();
                if let Some(new) = self.call(&name, args, span) {
                    *e = new;
                }
            }
            ExprKind::Var(name) => *name = self.var(name, span),
            ExprKind::Map(name) => *name = self.map(name, span),
            ExprKind::MapIndex { map, key } => {
                *map = self.map(map, span);
                self.expr(key);
            }
            ExprKind::Unary(_, a) | ExprKind::TupleIndex(a, _) => self.expr(a),
            ExprKind::IncDec { place: a, .. } | ExprKind::Field { base: a, .. } => self.expr(a),
            ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Ternary(a, b, c) => self.exprs([&mut **a, &mut **b, &mut **c]),
            ExprKind::Tuple(items) => self.exprs(items.iter_mut().map(|(_, e)| e)),
            ExprKind::Cast(ty, a) => {
                self.type_expr(ty);
                self.expr(a);
            }
            ExprKind::Sizeof(of) | ExprKind::Typeinfo(of) => self.type_or_expr(of),
            ExprKind::Offsetof(of, fields) => {
                self.type_or_expr(of);
                self.fields(fields);
            }
            ExprKind::TypeArg(ty) => self.type_expr(ty),
            ExprKind::Block(b) => self.block(b),
            ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Str(_)
            | ExprKind::Positional(_)
            | ExprKind::PositionalCount => {}
        }
    }

    /// `$x` in a macro: the caller's variable or the body's own, renamed.
    fn var(&mut self, name: &Rc<str>, span: Span) -> Rc<str> {
        let Some(frame) = &self.frame else { return name.clone() };
        if let Some(of_caller) = frame.vars.get(name) {
            return of_caller.clone();
        }
        if frame.own.contains(name) {
            return format!("{name}@{}", frame.number).into();
        }
        let message = format!("the macro has no variable ${name} of its own and no such parameter");
        let hint = format!("a macro sees only what it is passed: make ${name} a parameter");
        self.diags.push(Diagnostic::error(span, message).hint(hint));
        name.clone()
    }

    fn map(&mut self, name: &Rc<str>, span: Span) -> Rc<str> {
        let Some(frame) = &self.frame else { return name.clone() };
        if let Some(of_caller) = frame.maps.get(name) {
            return of_caller.clone();
        }
        let message = format!("@{name} is not a parameter of the macro");
        let hint = format!("a macro sees only what it is passed: make @{name} a parameter");
        self.diags.push(Diagnostic::error(span, message).hint(hint));
        name.clone()
    }

    fn declare(&mut self, name: &mut Name) {
        if self.frame.as_ref().is_some_and(|f| f.vars.contains_key(&name.text)) {
            self.error(
                name.span,
                format!("${} is a parameter: the macro cannot declare it again", name.text),
            );
            return;
        }
        name.text = self.var(&name.text, name.span);
    }

    /// A bare word: a parameter, a `#define`, a macro without parameters, or nothing of ours.
    fn ident(&mut self, name: &Rc<str>, span: Span) -> Option<Expr> {
        if let Some(arg) = self.frame.as_ref().and_then(|f| f.exprs.get(name)).cloned() {
            return Some(self.counted(arg, span));
        }
        if let Some(value) = self.define(name, span) {
            return Some(value);
        }
        match self.registry.lookup(name, &[], self.in_library()) {
            Found::Macro(m) => self.macro_call(m, vec![], span),
            Found::Mismatch(m) if !is_builtin(name) => {
                self.mismatch(m, &[], span);
                None
            }
            Found::Mismatch(_) | Found::Nothing => None,
        }
    }

    /// The value of a `#define` name.
    pub(super) fn define(&mut self, name: &Rc<str>, span: Span) -> Option<Expr> {
        if self.in_library() || self.active_defines.contains(name) {
            return None;
        }
        let define = self.defines.get(name)?;
        let Some(value) = &define.value else {
            let message = format!("'{name}' stands for what is no expression: {}", define.text);
            let note = "it is defined here";
            self.diags.push(Diagnostic::error(span, message).related(define.span, note));
            return None;
        };
        let value = value.clone();
        self.active_defines.push(name.clone());
        // Its text is the script's, wherever it stands: parameters of a macro do not reach into it.
        let frame = self.frame.take();
        let mut value = self.counted(value, span);
        self.expr(&mut value);
        self.frame = frame;
        self.active_defines.pop();
        Some(Expr { span, ..value })
    }

    fn call(&mut self, name: &Name, args: &mut Vec<Expr>, span: Span) -> Option<Expr> {
        match self.registry.lookup(&name.text, args, self.in_library()) {
            Found::Macro(m) => return self.macro_call(m, std::mem::take(args), span),
            Found::Mismatch(m) if rbtrace_stdlib::function(&name.text).is_none() => {
                self.mismatch(m, args, span);
            }
            Found::Mismatch(_) | Found::Nothing => {
                for arg in args.iter().filter(|a| matches!(a.kind, ExprKind::TypeArg(_))) {
                    let message =
                        format!("{}() takes no type: only a macro's parameter can be one", name.text);
                    self.diags.push(Diagnostic::error(arg.span, message));
                }
            }
        }
        None
    }

    fn macro_call(&mut self, m: &'a Macro, args: Vec<Expr>, span: Span) -> Option<Expr> {
        if let Some(first) = self.stack.iter().position(|s| std::ptr::eq(*s, m)) {
            let chain: Vec<_> = self.stack[first..].iter().map(|m| &*m.name.text).collect();
            let chain = chain.join(" > ");
            let message = format!("macro '{0}' calls itself: {chain} > {0}", m.name.text);
            self.error(span, message);
            return None;
        }
        let frame = self.bind(m, args, span);
        let caller = self.frame.replace(frame);
        self.stack.push(m);
        let mut body = m.body.clone();
        self.block(&mut body);
        self.stack.pop();
        self.frame = caller;
        Some(self.counted(Expr { kind: ExprKind::Block(Block { span, ..body }), span }, span))
    }

    fn bind(&mut self, m: &Macro, args: Vec<Expr>, span: Span) -> Frame {
        self.expansions += 1;
        let mut frame = Frame { number: self.expansions, own: own_variables(&m.body), ..Frame::default() };
        for (param, arg) in m.params.iter().zip(args) {
            let name = param_name(param).text.clone();
            match (param, arg.kind) {
                (MacroParam::Var(_), ExprKind::Var(of)) => {
                    frame.vars.insert(name, of);
                }
                (MacroParam::Map(_), ExprKind::Map(of)) => {
                    frame.maps.insert(name, of);
                }
                // Passed as a value, a variable or map cannot be changed: it stands in a block.
                (_, kind @ (ExprKind::Var(_) | ExprKind::Map(_))) => {
                    let value = Some(Box::new(Expr { kind, span: arg.span }));
                    let block = Block { stmts: vec![], value, span };
                    frame.exprs.insert(name, Expr { kind: ExprKind::Block(block), span: arg.span });
                }
                (_, kind) => {
                    frame.exprs.insert(name, Expr { kind, span: arg.span });
                }
            }
        }
        frame
    }

    /// Counts what is put in; what is too much becomes an error and a zero.
    fn counted(&mut self, e: Expr, span: Span) -> Expr {
        let size = measure::expr(&e);
        let was_fine = self.nodes <= MAX_NODES;
        self.nodes += size.nodes;
        if self.nodes <= MAX_NODES && size.depth <= MAX_DEPTH {
            return e;
        }
        if was_fine {
            let hint = "a macro's argument is put in wherever it is used: bind it once (let $x = x;)";
            let message = "macro expansion makes the program too large";
            self.diags.push(Diagnostic::error(span, message).hint(hint));
        }
        Expr { kind: ExprKind::Int(0), span }
    }

    fn mismatch(&mut self, m: &Macro, args: &[Expr], span: Span) {
        let name = &m.name.text;
        let message = format!("no definition of macro '{name}' takes these arguments");
        let mut diag = Diagnostic::error(span, message);
        if m.params.len() != args.len() {
            let (wanted, given) = (m.params.len(), args.len());
            let note = format!("the nearest definition: it takes {wanted}, the call passes {given}");
            diag = diag.related(m.name.span, note);
        }
        self.diags.push(diag);
        if m.params.len() == args.len() {
            for (param, arg) in m.params.iter().zip(args).filter(|(p, a)| !fits(p, a)) {
                self.misfit(name, param, arg);
            }
        }
    }

    fn misfit(&mut self, name: &str, param: &MacroParam, arg: &Expr) {
        let wanted = param_name(param);
        let takes = match param {
            MacroParam::Map(_) => format!("@{} of {name}() takes a map", wanted.text),
            _ => format!("${} of {name}() takes a variable", wanted.text),
        };
        let got = match arg.kind {
            ExprKind::Var(_) => "a variable",
            ExprKind::Map(_) => "a map",
            _ => "an expression",
        };
        let message = format!("{takes}, not {got}");
        let note = "the parameter in the nearest definition";
        self.diags.push(Diagnostic::error(arg.span, message).related(wanted.span, note));
    }
}

/// Words that have a value without any macro.
fn is_builtin(name: &str) -> bool {
    rbtrace_stdlib::builtin(name).is_some()
}

/// Variables that a block declares or assigns, blocks inside it included.
fn own_variables(body: &Block) -> HashSet<Rc<str>> {
    let mut own = HashSet::new();
    collect(body, &mut own);
    own
}

fn collect(b: &Block, own: &mut HashSet<Rc<str>>) {
    for s in &b.stmts {
        collect_stmt(s, own);
    }
    if let Some(value) = &b.value {
        collect_expr(value, own);
    }
}

fn collect_stmt(s: &Stmt, own: &mut HashSet<Rc<str>>) {
    match &s.kind {
        StmtKind::Let { name, value, .. } => {
            own.insert(name.text.clone());
            value.iter().for_each(|e| collect_expr(e, own));
        }
        StmtKind::Assign { target, value, .. } => {
            if let ExprKind::Var(name) = &target.kind {
                own.insert(name.clone());
            }
            collect_expr(value, own);
        }
        StmtKind::ForRange { var, body, .. } | StmtKind::ForMap { var, body, .. } => {
            own.insert(var.text.clone());
            collect(body, own);
        }
        StmtKind::If { cond, then, otherwise } => {
            collect_expr(cond, own);
            collect(then, own);
            otherwise.iter().for_each(|b| collect(b, own));
        }
        StmtKind::While { cond: e, body } | StmtKind::Unroll { count: e, body } => {
            collect_expr(e, own);
            collect(body, own);
        }
        StmtKind::Block(b) => collect(b, own),
        StmtKind::Expr(e) | StmtKind::Discard(e) | StmtKind::Return(Some(e)) => collect_expr(e, own),
        StmtKind::Return(None) | StmtKind::Break | StmtKind::Continue => {}
    }
}

/// Block expressions hold statements, wherever in an expression they stand.
fn collect_expr(e: &Expr, own: &mut HashSet<Rc<str>>) {
    match &e.kind {
        ExprKind::Block(b) => collect(b, own),
        ExprKind::Unary(_, a) | ExprKind::TupleIndex(a, _) | ExprKind::Cast(_, a) => collect_expr(a, own),
        ExprKind::IncDec { place: a, .. } | ExprKind::Field { base: a, .. } => collect_expr(a, own),
        ExprKind::MapIndex { key, .. } => collect_expr(key, own),
        ExprKind::Binary(_, a, b) | ExprKind::Index(a, b) => {
            collect_expr(a, own);
            collect_expr(b, own);
        }
        ExprKind::Ternary(a, b, c) => [a, b, c].into_iter().for_each(|e| collect_expr(e, own)),
        ExprKind::Call { args, .. } => args.iter().for_each(|e| collect_expr(e, own)),
        ExprKind::Tuple(items) => items.iter().for_each(|(_, e)| collect_expr(e, own)),
        ExprKind::Sizeof(of) | ExprKind::Typeinfo(of) | ExprKind::Offsetof(of, _) => {
            if let crate::ast::TypeOrExpr::Expr(e) = &**of {
                collect_expr(e, own);
            }
        }
        _ => {}
    }
}
