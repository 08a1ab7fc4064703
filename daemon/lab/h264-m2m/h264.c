// SPDX-License-Identifier: GPL-2.0
/*
 * Bitstream writer and picture coder of the lab's H.264 encoder; see h264.h.
 * Section numbers are those of ITU-T H.264.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#endif
#include "h264.h"

#define NAL_SLICE	1
#define NAL_IDR		5
#define NAL_SPS		7
#define NAL_PPS		8
#define LOG2_MAX_FRAME_NUM	8
#define PARAMETER_SETS_BYTES	256

/* Writes the bits of one NAL unit, with emulation prevention (7.4.1.1) as the bytes go out. */
struct bit_writer {
	u8 *at;
	u8 *end;
	u32 pending;		/* bits not yet written, right-aligned */
	u32 pending_bits;
	u32 zeros;		/* zero bytes just written */
	bool full;
};

static void put_raw(struct bit_writer *w, u8 byte)
{
	if (w->at == w->end) {
		w->full = true;
		return;
	}
	*w->at++ = byte;
}

static void put_byte(struct bit_writer *w, u8 byte)
{
	if (w->zeros >= 2 && byte <= 3) {
		put_raw(w, 3);
		w->zeros = 0;
	}
	put_raw(w, byte);
	w->zeros = byte ? 0 : w->zeros + 1;
}

static void put_bits(struct bit_writer *w, u32 value, u32 count)
{
	while (count--) {
		w->pending = w->pending << 1 | (value >> count & 1);
		if (++w->pending_bits == 8) {
			put_byte(w, w->pending);
			w->pending = 0;
			w->pending_bits = 0;
		}
	}
}

/* Exp-Golomb code (9.1). */
static void put_ue(struct bit_writer *w, u32 value)
{
	u32 length = 0;

	while ((value + 1) >> (length + 1))
		length++;
	put_bits(w, 0, length);
	put_bits(w, value + 1, length + 1);
}

static void align_with_zeros(struct bit_writer *w)
{
	if (w->pending_bits)
		put_bits(w, 0, 8 - w->pending_bits);
}

static void begin_nal(struct bit_writer *w, u8 nal_unit_type)
{
	put_raw(w, 0);
	put_raw(w, 0);
	put_raw(w, 0);
	put_raw(w, 1);
	put_raw(w, 3 << 5 | nal_unit_type);	/* nal_ref_idc 3: everything here is referred to */
	w->zeros = 0;
}

static void end_nal(struct bit_writer *w)
{
	put_bits(w, 1, 1);
	align_with_zeros(w);
}

/* Sixteen samples at a time, because nearly all rows of samples hold no zero byte and need no escape. */
static void put_samples(struct bit_writer *w, const u8 *samples, u32 count)
{
	u32 i;

	for (; count >= 16; samples += 16, count -= 16) {
		if (w->zeros < 2 && w->end - w->at >= 16 && !memchr(samples, 0, 16)) {
			memcpy(w->at, samples, 16);
			w->at += 16;
			w->zeros = 0;
			continue;
		}
		for (i = 0; i < 16; i++)
			put_byte(w, samples[i]);
	}
}

u32 h264_max_picture_bytes(u32 width, u32 height)
{
	u32 macroblocks = DIV_ROUND_UP(width, MB_SIZE) * DIV_ROUND_UP(height, MB_SIZE);

	/* All samples zero: every second byte is followed by an escape. Eight bytes for the macroblock's header. */
	return macroblocks * (MB_BYTES * 3 / 2 + 8) + PARAMETER_SETS_BYTES;
}

int h264_coder_init(struct h264_coder *coder, u32 width, u32 height)
{
	memset(coder, 0, sizeof(*coder));
	coder->width = width;
	coder->height = height;
	coder->mb_columns = DIV_ROUND_UP(width, MB_SIZE);
	coder->mb_rows = DIV_ROUND_UP(height, MB_SIZE);
	coder->reference = vmalloc(coder->mb_columns * coder->mb_rows * MB_BYTES);
	return coder->reference ? 0 : -ENOMEM;
}

void h264_coder_free(struct h264_coder *coder)
{
	vfree(coder->reference);
	coder->reference = NULL;
	coder->has_reference = false;
}

/* 7.3.2.1.1 and, for the picture rate, E.1.1. */
static void write_sps(struct bit_writer *w, const struct h264_sequence *seq)
{
	u32 mb_columns = DIV_ROUND_UP(seq->width, MB_SIZE);
	u32 mb_rows = DIV_ROUND_UP(seq->height, MB_SIZE);
	u32 crop_right = mb_columns * MB_SIZE - seq->width;
	u32 crop_bottom = mb_rows * MB_SIZE - seq->height;

	begin_nal(w, NAL_SPS);
	put_bits(w, seq->profile_idc, 8);
	put_bits(w, seq->constraint_flags, 8);
	put_bits(w, seq->level_idc, 8);
	put_ue(w, 0);				/* seq_parameter_set_id */
	if (seq->profile_idc >= 100) {
		put_ue(w, 1);			/* chroma_format_idc: 4:2:0 */
		put_ue(w, 0);			/* bit_depth_luma_minus8 */
		put_ue(w, 0);			/* bit_depth_chroma_minus8 */
		put_bits(w, 0, 2);		/* no transform bypass, no scaling matrix */
	}
	put_ue(w, LOG2_MAX_FRAME_NUM - 4);
	put_ue(w, 2);				/* pic_order_cnt_type: output order is decoding order */
	put_ue(w, 1);				/* max_num_ref_frames */
	put_bits(w, 0, 1);			/* gaps_in_frame_num_value_allowed_flag */
	put_ue(w, mb_columns - 1);
	put_ue(w, mb_rows - 1);
	put_bits(w, 1, 1);			/* frame_mbs_only_flag */
	put_bits(w, 1, 1);			/* direct_8x8_inference_flag */
	put_bits(w, crop_right || crop_bottom, 1);
	if (crop_right || crop_bottom) {
		put_ue(w, 0);
		put_ue(w, crop_right / 2);	/* in units of one chroma sample */
		put_ue(w, 0);
		put_ue(w, crop_bottom / 2);
	}
	put_bits(w, 1, 1);			/* vui_parameters_present_flag */
	put_bits(w, 0, 4);			/* no aspect ratio, overscan, signal type, chroma location */
	put_bits(w, 1, 1);			/* timing_info_present_flag */
	put_bits(w, seq->seconds, 32);		/* num_units_in_tick: a tick is a field */
	put_bits(w, seq->frames * 2, 32);	/* time_scale */
	put_bits(w, 0, 1);			/* fixed_frame_rate_flag: a camera's rate is not */
	put_bits(w, 0, 3);			/* no NAL or VCL HRD, no pic_struct */
	put_bits(w, 1, 1);			/* bitstream_restriction_flag */
	put_bits(w, 1, 1);			/* motion_vectors_over_pic_boundaries_flag */
	put_ue(w, 0);				/* max_bytes_per_pic_denom: no limit */
	put_ue(w, 0);				/* max_bits_per_mb_denom: no limit */
	put_ue(w, 0);
	put_ue(w, 0);				/* no motion vectors but zero */
	put_ue(w, 0);				/* max_num_reorder_frames */
	put_ue(w, 1);				/* max_dec_frame_buffering */
	end_nal(w);
}

/* 7.3.2.2 */
static void write_pps(struct bit_writer *w)
{
	begin_nal(w, NAL_PPS);
	put_ue(w, 0);				/* pic_parameter_set_id */
	put_ue(w, 0);				/* seq_parameter_set_id */
	put_bits(w, 0, 2);			/* CAVLC, no field order */
	put_ue(w, 0);				/* one slice group */
	put_ue(w, 0);
	put_ue(w, 0);				/* one reference picture */
	put_bits(w, 0, 3);			/* no weighted prediction */
	put_ue(w, 0);				/* pic_init_qp; never used, as are the next two */
	put_ue(w, 0);
	put_ue(w, 0);
	put_bits(w, 1, 1);			/* deblocking_filter_control_present_flag */
	put_bits(w, 0, 2);
	end_nal(w);
}

int h264_write_parameter_sets(const struct h264_sequence *seq, u8 *out, u32 capacity)
{
	struct bit_writer w = { .at = out, .end = out + capacity };

	write_sps(&w, seq);
	write_pps(&w);
	return w.full ? -ENOSPC : w.at - out;
}

/* Copies @count samples that are @step bytes apart; beyond the picture's edge the last one is repeated. */
static void copy_row(u8 *to, const u8 *from, u32 step, u32 count, u32 available)
{
	u32 i;

	for (i = 0; i < count; i++)
		to[i] = from[min(i, available - 1) * step];
}

static void average_row(u8 *to, const u8 *a, const u8 *b, u32 step, u32 count, u32 available)
{
	u32 i;

	for (i = 0; i < count; i++) {
		u32 at = min(i, available - 1) * step;

		to[i] = (a[at] + b[at] + 1) / 2;
	}
}

/* Takes macroblock (@column, @row) out of @frame, whatever its layout, into 4:2:0 samples. */
static void fetch_macroblock(const struct h264_coder *coder, const struct h264_frame *frame,
			     u32 column, u32 row, u8 *mb)
{
	u32 x = column * MB_SIZE, y = row * MB_SIZE;
	u32 luma_columns = min_t(u32, MB_SIZE, coder->width - x);
	u32 chroma_columns = DIV_ROUND_UP(luma_columns, 2);
	const u8 *chroma = frame->data + frame->stride * frame->buffer_height;
	u32 chroma_stride = frame->stride / 2;
	const u8 *cr = chroma + chroma_stride * (frame->buffer_height / 2);
	u8 *cb_out = mb + 256, *cr_out = mb + 320;
	u32 last_chroma_row = DIV_ROUND_UP(coder->height, 2) - 1;
	u32 i;

	for (i = 0; i < MB_SIZE; i++) {
		const u8 *from = frame->data + min(y + i, coder->height - 1) * frame->stride;

		if (frame->layout == H264_LAYOUT_YUYV)
			copy_row(mb + i * 16, from + x * 2, 2, 16, luma_columns);
		else if (luma_columns == MB_SIZE)
			memcpy(mb + i * 16, from + x, 16);
		else
			copy_row(mb + i * 16, from + x, 1, 16, luma_columns);
	}
	for (i = 0; i < MB_SIZE / 2; i++, cb_out += 8, cr_out += 8) {
		u32 chroma_row = min(y / 2 + i, last_chroma_row);
		const u8 *from, *below;

		switch (frame->layout) {
		case H264_LAYOUT_I420:
			from = chroma + chroma_row * chroma_stride + x / 2;
			copy_row(cb_out, from, 1, 8, chroma_columns);
			from = cr + chroma_row * chroma_stride + x / 2;
			copy_row(cr_out, from, 1, 8, chroma_columns);
			break;
		case H264_LAYOUT_NV12:
			from = chroma + chroma_row * frame->stride + x;
			copy_row(cb_out, from, 2, 8, chroma_columns);
			copy_row(cr_out, from + 1, 2, 8, chroma_columns);
			break;
		case H264_LAYOUT_YUYV:
			from = frame->data + chroma_row * 2 * frame->stride + x * 2;
			below = frame->data + min(chroma_row * 2 + 1, coder->height - 1) * frame->stride + x * 2;
			average_row(cb_out, from + 1, below + 1, 4, 8, chroma_columns);
			average_row(cr_out, from + 3, below + 3, 4, 8, chroma_columns);
			break;
		}
	}
}

/* 7.3.3 */
static void write_slice_header(struct bit_writer *w, const struct h264_coder *coder, bool idr)
{
	put_ue(w, 0);				/* first_mb_in_slice */
	put_ue(w, idr ? 7 : 5);			/* slice_type: all slices of the picture are I, or P */
	put_ue(w, 0);				/* pic_parameter_set_id */
	put_bits(w, coder->frame_num, LOG2_MAX_FRAME_NUM);
	if (idr) {
		put_ue(w, coder->idr_pic_id);
		put_bits(w, 0, 2);		/* dec_ref_pic_marking of an IDR: nothing special */
	} else {
		put_bits(w, 0, 1);		/* num_ref_idx_active_override_flag */
		put_bits(w, 0, 1);		/* ref_pic_list_modification_flag_l0 */
		put_bits(w, 0, 1);		/* adaptive_ref_pic_marking_mode_flag */
	}
	put_ue(w, 0);				/* slice_qp_delta */
	put_ue(w, 1);				/* disable_deblocking_filter_idc: the samples are exact */
}

/* 7.3.4: skip runs in P slices, I_PCM for what is coded (7.3.5, Table 7-11 and, in P slices, 5 more). */
static void write_slice_data(struct bit_writer *w, struct h264_coder *coder,
			     const struct h264_frame *frame, bool idr)
{
	u8 mb[MB_BYTES];
	u8 *reference = coder->reference;
	u32 skipped = 0;
	u32 row, column;

	for (row = 0; row < coder->mb_rows && !w->full; row++) {
		for (column = 0; column < coder->mb_columns; column++, reference += MB_BYTES) {
			fetch_macroblock(coder, frame, column, row, mb);
			if (!idr && !memcmp(mb, reference, MB_BYTES)) {
				skipped++;
				continue;
			}
			memcpy(reference, mb, MB_BYTES);
			if (!idr)
				put_ue(w, skipped);
			skipped = 0;
			put_ue(w, idr ? 25 : 30);	/* mb_type I_PCM */
			align_with_zeros(w);
			put_samples(w, mb, MB_BYTES);
		}
	}
	if (skipped)
		put_ue(w, skipped);
}

int h264_code_picture(struct h264_coder *coder, const struct h264_frame *frame, bool idr, u8 *out, u32 capacity)
{
	struct bit_writer w = { .at = out, .end = out + capacity };

	if (!idr && !coder->has_reference)
		return -EINVAL;
	if (idr) {
		coder->frame_num = 0;
		coder->idr_pic_id ^= 1;		/* two IDRs in a row have to differ (7.4.3) */
	} else {
		coder->frame_num = (coder->frame_num + 1) % (1 << LOG2_MAX_FRAME_NUM);
	}
	begin_nal(&w, idr ? NAL_IDR : NAL_SLICE);
	write_slice_header(&w, coder, idr);
	write_slice_data(&w, coder, frame, idr);
	end_nal(&w);
	/* After a picture that did not fit, the decoder's reference is unknown: begin anew. */
	coder->has_reference = !w.full;
	return w.full ? -ENOSPC : w.at - out;
}
