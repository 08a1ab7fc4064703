//! The kernel's structures (videodev2.h, as the crate `v4l` binds them), and why zeros are a valid value of each.

use v4l::v4l_sys as sys;

/// A structure of the kernel's interface: plain integers, arrays and unions of them.
///
/// # Safety
/// All bytes zero must be a valid value.
pub(super) unsafe trait KernelStruct {}

macro_rules! kernel_structs {
    ($($name:ty),* $(,)?) => { $(
        // SAFETY: a C structure of integers, integer arrays and raw pointers; zero is valid for each of them.
        unsafe impl KernelStruct for $name {}
    )* };
}
kernel_structs!(
    sys::v4l2_capability,
    sys::v4l2_fmtdesc,
    sys::v4l2_frmsizeenum,
    sys::v4l2_frmivalenum,
    sys::v4l2_format,
    sys::v4l2_streamparm,
    sys::v4l2_requestbuffers,
    sys::v4l2_buffer,
    sys::v4l2_plane,
    sys::v4l2_exportbuffer,
    sys::v4l2_control,
    sys::v4l2_queryctrl,
    sys::v4l2_query_ext_ctrl,
    sys::v4l2_querymenu,
    sys::v4l2_ext_control,
    sys::v4l2_ext_controls,
    sys::v4l2_encoder_cmd,
    sys::v4l2_selection,
    sys::v4l2_input,
    StreamType,
);

// Request numbers contain these sizes, and the kernel refuses any other. Checked at compile time, because the tests run on 64 bits only.
const _: () = {
    let (format, buffer, plane, controls) =
        if cfg!(target_pointer_width = "64") { (208, 88, 64, 32) } else { (204, 68, 60, 24) };
    assert!(size_of::<sys::v4l2_format>() == format);
    assert!(size_of::<sys::v4l2_buffer>() == buffer);
    assert!(size_of::<sys::v4l2_plane>() == plane);
    assert!(size_of::<sys::v4l2_ext_controls>() == controls);
    assert!(size_of::<sys::v4l2_ext_control>() == 20);
    assert!(size_of::<sys::v4l2_query_ext_ctrl>() == 232);
    assert!(size_of::<sys::v4l2_streamparm>() == 204);
};

/// A structure of zeros.
pub(super) fn zeroed<T: KernelStruct>() -> T {
    // SAFETY: the trait promises that zero is a valid value.
    unsafe { std::mem::zeroed() }
}

/// The argument of STREAMON and STREAMOFF: a C int.
#[repr(transparent)]
pub(super) struct StreamType(pub(super) u32);
