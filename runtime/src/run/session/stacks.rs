//! Stacks by their ids.

use crate::run::load::KernelMaps;
use crate::show::print::env::Stacks;
use crate::sys::map;
use rbtrace_codegen::object::{MapRole, Object};
use rbtrace_lang::types::{StackMode, StackType};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

/// The stack maps of an object.
pub(super) struct StackMaps(Vec<StackMap>);

struct StackMap {
    ty: StackType,
    user: bool,
    fd: Rc<OwnedFd>,
    key_size: usize,
    size: usize,
}

impl StackMap {
    /// Printing modes share a map, unless they ask for build ids.
    fn holds(&self, ty: StackType, user: bool) -> bool {
        let ids = |ty: StackType| user && ty.mode == StackMode::BuildId;
        self.user == user && self.ty.depth == ty.depth && self.ty.cfi == ty.cfi && ids(self.ty) == ids(ty)
    }
}

impl StackMaps {
    pub(super) fn new(object: &Object, maps: &KernelMaps) -> Self {
        let stacks = object.maps.iter().zip(&maps.fds).filter_map(|(def, fd)| match def.role {
            MapRole::Stacks { ty, user } => {
                let (key_size, size) = (def.key_size as usize, def.value_size as usize);
                Some(StackMap { ty, user, fd: fd.clone(), key_size, size })
            }
            _ => None,
        });
        StackMaps(stacks.collect())
    }
}

impl Stacks for StackMaps {
    fn frames(&self, ty: StackType, user: bool, id: u64) -> Vec<u8> {
        let Some(map) = self.0.iter().find(|m| m.holds(ty, user)) else { return Vec::new() };
        let mut frames = vec![0; map.size];
        let id = id.to_le_bytes();
        match map::lookup(map.fd.as_fd(), &id[..map.key_size.min(id.len())], &mut frames) {
            Ok(true) => frames,
            _ => Vec::new(),
        }
    }
}
