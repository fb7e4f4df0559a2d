//! Stacks by their ids.

use crate::run::load::KernelMaps;
use crate::show::print::env::Stacks;
use crate::sys::map;
use rbtrace_codegen::object::{MapRole, Object};
use rbtrace_lang::types::StackType;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

/// The stack maps of an object.
pub(super) struct StackMaps(Vec<StackMap>);

struct StackMap {
    ty: StackType,
    user: bool,
    fd: Rc<OwnedFd>,
    size: usize,
}

impl StackMaps {
    pub(super) fn new(object: &Object, maps: &KernelMaps) -> Self {
        let stacks = object.maps.iter().zip(&maps.fds).filter_map(|(def, fd)| match def.role {
            MapRole::Stacks { ty, user } => {
                Some(StackMap { ty, user, fd: fd.clone(), size: def.value_size as usize })
            }
            _ => None,
        });
        StackMaps(stacks.collect())
    }
}

impl Stacks for StackMaps {
    fn frames(&self, ty: StackType, user: bool, id: u32) -> Vec<u8> {
        let Some(map) = self.0.iter().find(|m| m.ty == ty && m.user == user) else { return Vec::new() };
        let mut frames = vec![0; map.size];
        match map::lookup(map.fd.as_fd(), &id.to_le_bytes(), &mut frames) {
            Ok(true) => frames,
            _ => Vec::new(),
        }
    }
}
