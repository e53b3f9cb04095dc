//! Records into the component's memory in one copy, and answers out of it without any.
//!
//! The generated code stores a record field by field and builds a `Vec` for each list it reads,
//! which costs as much as the component's own work on a message. A list of records of integers has
//! the same bytes in the host's memory and in the component's (little-endian, no gaps, the same
//! alignment), so it is copied as bytes.
//!
//! Size, alignment and type check of each record are those of the generated twin; that the fields
//! stand in the same order is asserted below. All unsafe code is here and in `cache`.

use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};

use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{
    ComponentNamedList, ComponentType, Func, Lift, Lower, TypedFunc, WasmList,
};
use wasmtime::{AsContextMut, Result, Store, bail};

use crate::bindings::exports::spanbridge::tracing::messaging as wit;
use crate::record::{Delivery, Head, Message, Settlement, SpanRef, Verdict};

#[cfg(not(target_endian = "little"))]
compile_error!("records are copied as bytes, and a component's memory is little-endian");

/// Integers in an order that leaves no gap: every byte of it is initialised.
///
/// # Safety
///
/// The type is `repr(C)`, has no padding, and consists of integers and of such types.
pub(crate) unsafe trait Packed: Copy + Send + Sync + 'static {}

// SAFETY: `repr(C)`, integers and structs of integers; the assertions where the record is defined
// show that its size is the sum of theirs.
unsafe impl Packed for Message {}
// SAFETY: as above.
unsafe impl Packed for Delivery {}
// SAFETY: as above.
unsafe impl Packed for Settlement {}

/// The bytes of a list of records.
fn bytes_of<R: Packed>(records: &[R]) -> &[u8] {
    // SAFETY: `Packed` promises that every byte is initialised, and bytes have no alignment.
    unsafe { std::slice::from_raw_parts(records.as_ptr().cast(), size_of_val(records)) }
}

macro_rules! lowered_as_bytes {
    ($($Record:ty as $Wit:ty;)+) => { $(
        const _: () = assert!(size_of::<$Record>() == <$Wit as ComponentType>::SIZE32);
        const _: () = assert!(align_of::<$Record>() == <$Wit as ComponentType>::ALIGN32 as usize);

        // SAFETY: type check, size and flat form are those of the generated type.
        unsafe impl ComponentType for $Record {
            type Lower = <$Wit as ComponentType>::Lower;
            const ABI: CanonicalAbiInfo = <$Wit as ComponentType>::ABI;
            const MAY_REQUIRE_REALLOC: bool = false;

            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
                <$Wit as ComponentType>::typecheck(ty, types)
            }
        }

        // SAFETY: what is stored is the canonical form: see the head of this module.
        unsafe impl Lower for $Record {
            fn linear_lower_to_flat<T>(
                &self,
                _: &mut LowerContext<'_, T>,
                _: InterfaceType,
                _: &mut MaybeUninit<Self::Lower>,
            ) -> Result<()> {
                // No function of the contract takes a record that is not in a list.
                bail!("a record outside a list")
            }

            fn linear_lower_to_memory<T>(
                &self,
                cx: &mut LowerContext<'_, T>,
                ty: InterfaceType,
                offset: usize,
            ) -> Result<()> {
                Self::linear_store_list_to_memory(cx, ty, offset, std::slice::from_ref(self))
            }

            fn linear_store_list_to_memory<T>(
                cx: &mut LowerContext<'_, T>,
                _: InterfaceType,
                offset: usize,
                items: &[Self],
            ) -> Result<()> {
                let bytes = bytes_of(items);
                match cx.as_slice_mut().get_mut(offset..).and_then(|to| to.get_mut(..bytes.len())) {
                    Some(to) => to.copy_from_slice(bytes),
                    None => bail!("a list outside memory"),
                }
                Ok(())
            }
        }
    )+ };
}

lowered_as_bytes! {
    Message as wit::Message;
    Delivery as wit::Delivery;
    Settlement as wit::Settlement;
}

/// The fields of a generated record stand where ours do: each offset of the canonical form is the
/// sum of what is before it, because neither has gaps.
const _: () = {
    assert!(size_of::<Head>() == 32 && size_of::<SpanRef>() == 24);
    assert!(offset_of!(Message, body_size) == 32 && offset_of!(Message, parent) == 56);
    assert!(offset_of!(Delivery, attempt) == 32 && offset_of!(Delivery, body_size) == 40);
    assert!(offset_of!(Delivery, previous) == 72);
    assert!(offset_of!(Settlement, start) == 24 && offset_of!(Settlement, delay) == 40);
    assert!(Verdict::BYTES == <wit::Verdict as ComponentType>::SIZE32);
};

/// A list of verdicts, seen as bytes.
pub(crate) struct Verdicts(pub WasmList<u8>);

// SAFETY: type check and flat form are those of the list it stands for.
unsafe impl ComponentType for Verdicts {
    type Lower = <[wit::Verdict] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[wit::Verdict] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: answers a list of as many bytes as the verdicts take, or an error when that many do not
// lie in memory: the list of bytes does the check.
unsafe impl Lift for Verdicts {
    fn linear_lift_from_flat(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &Self::Lower,
    ) -> Result<Self> {
        // An answer does not fit into the one flat result there is.
        bail!("verdicts outside an answer")
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        let mut list = [0; 8];
        list.copy_from_slice(bytes);
        let count = u32::from_le_bytes([list[4], list[5], list[6], list[7]]);
        let Some(length) = count.checked_mul(Verdict::BYTES as u32) else {
            bail!("more verdicts than memory")
        };
        list[4..].copy_from_slice(&length.to_le_bytes());
        WasmList::linear_lift_from_memory(cx, ty, &list).map(Self)
    }
}

/// An answer, seen where it lies.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Answer {
    pub verdicts: Verdicts,
    pub spans: u32,
    pub bytes: WasmList<u8>,
}

/// A function of the hot path: a list of records and an arena in, `Out` out.
pub(crate) struct HotFunc<R, Out> {
    func: Func,
    types: PhantomData<fn(&[R]) -> Out>,
}

impl<R, Out> HotFunc<R, Out>
where
    R: Packed + Lower,
    (Out,): ComponentNamedList + Lift,
{
    /// Takes a function of `store` after checking that it has this type.
    pub(crate) fn new<T>(store: &Store<T>, func: Func) -> Result<Self> {
        func.typed::<(&[R], &[u8]), (Out,)>(store)?;
        Ok(Self { func, types: PhantomData })
    }

    /// Calls it.
    pub(crate) fn call(
        &self,
        store: impl AsContextMut,
        records: &[R],
        arena: &[u8],
    ) -> Result<Out> {
        // SAFETY: `new` has checked the type; only lifetimes differ, which the check does not see.
        let func = unsafe { TypedFunc::<(&[R], &[u8]), (Out,)>::new_unchecked(self.func) };
        Ok(func.call(store, (records, arena))?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_bytes_of_the_canonical_form() {
        let head = Head {
            route: 1,
            bits: 2,
            at: 3,
            destination: 4,
            id: 5,
            headers: 6,
            attributes: 7,
            body: 8,
        };
        let span = SpanRef { hi: 12, lo: 13, span: 14 };
        let message = Message { head, body_size: 9, start: 10, end: 11, parent: span };
        let shorts = |numbers: &[u32]| -> Vec<u8> {
            numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
        };
        let longs = |numbers: &[u64]| -> Vec<u8> {
            numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
        };
        let expected = [shorts(&[1, 2, 3, 4, 5, 6, 7, 8]), longs(&[9, 10, 11, 12, 13, 14])];
        assert_eq!(bytes_of(&[message]), expected.concat());
        let delivery = Delivery {
            head,
            attempt: 9,
            prefetched: 10,
            body_size: 1,
            start: 2,
            requested: 3,
            published: 4,
            previous: span,
        };
        let expected = [shorts(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), longs(&[1, 2, 3, 4, 12, 13, 14])];
        assert_eq!(bytes_of(&[delivery]), expected.concat());
        let settlement = Settlement {
            route: 1,
            bits: 2,
            at: 3,
            open: 4,
            detail: 5,
            outcome: 6,
            start: 7,
            end: 8,
            delay: 9,
        };
        let expected = [shorts(&[1, 2, 3, 4, 5, 6]), longs(&[7, 8, 9])];
        assert_eq!(bytes_of(&[settlement]), expected.concat());
        assert_eq!(bytes_of::<Settlement>(&[]), [0; 0]);
    }
}
