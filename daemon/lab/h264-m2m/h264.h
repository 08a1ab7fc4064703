/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The smallest H.264 coder that shows every picture exactly (ITU-T H.264): macroblocks are I_PCM, or P_Skip where
 * nothing has changed since the previous picture. No V4L2 in here: test/roundtrip.c builds it in user space too.
 */
#ifndef PERCH_H264_H
#define PERCH_H264_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "test/kernel_types.h"
#endif

#define MB_SIZE		16
/* One macroblock of 4:2:0: 16x16 luma, then 8x8 Cb, then 8x8 Cr. */
#define MB_BYTES	384

enum h264_layout {
	H264_LAYOUT_I420,	/* three planes, chroma stride is half of the luma stride */
	H264_LAYOUT_NV12,	/* luma plane, interleaved chroma plane of the same stride */
	H264_LAYOUT_YUYV,	/* packed 4:2:2; chroma rows are averaged in pairs */
};

/* A raw picture in one piece of memory; chroma follows after @buffer_height rows of luma. */
struct h264_frame {
	enum h264_layout layout;
	const u8 *data;
	u32 stride;		/* bytes from one luma row to the next */
	u32 buffer_height;	/* rows of luma in memory */
};

/* What the sequence parameter set says. */
struct h264_sequence {
	u32 width;		/* visible pixels */
	u32 height;
	u8 profile_idc;		/* 66, 77 or 100; the tools used are those of constrained baseline always */
	u8 constraint_flags;
	u8 level_idc;
	u32 frames;		/* frames per @seconds seconds, for the VUI */
	u32 seconds;
};

/* State between two pictures of one sequence. */
struct h264_coder {
	u32 width;		/* visible pixels */
	u32 height;
	u32 mb_columns;
	u32 mb_rows;
	u8 *reference;		/* previous picture, macroblock after macroblock, MB_BYTES each */
	u32 frame_num;		/* H.264 7.4.3; counts pictures since the last IDR */
	u32 idr_pic_id;
	bool has_reference;
};

/* Bytes that a picture of this size needs at most, parameter sets included. */
u32 h264_max_picture_bytes(u32 width, u32 height);

/* -ENOMEM when there is no memory for the reference picture. */
int h264_coder_init(struct h264_coder *coder, u32 width, u32 height);
void h264_coder_free(struct h264_coder *coder);

/* Writes SPS and PPS with start codes; bytes written, or -ENOSPC. */
int h264_write_parameter_sets(const struct h264_sequence *seq, u8 *out, u32 capacity);

/*
 * Codes one picture as one slice with its start code. The first one of a coder has to be an IDR.
 * Bytes written, or -ENOSPC, or -EINVAL for a P picture without a reference.
 */
int h264_code_picture(struct h264_coder *coder, const struct h264_frame *frame, bool idr, u8 *out, u32 capacity);

#endif
