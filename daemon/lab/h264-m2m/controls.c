// SPDX-License-Identifier: GPL-2.0
/*
 * The controls of bcm2835-codec's encoder, with its ranges and defaults. As on older kernels of that driver there is no GOP_SIZE, and
 * H264_I_PERIOD is the distance between IDRs. Bitrate and QP are taken and kept: lossless pictures cannot obey them.
 */
#include "encoder.h"

static int perch_s_ctrl(struct v4l2_ctrl *ctrl)
{
	struct perch_context *ctx = container_of(ctrl->handler, struct perch_context, controls);

	if (ctrl->id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME)
		atomic_set(&ctx->force_key_frame, 1);
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = {
	.s_ctrl = perch_s_ctrl,
};

static const u8 level_idcs[] = {
	[V4L2_MPEG_VIDEO_H264_LEVEL_1_0] = 10,
	[V4L2_MPEG_VIDEO_H264_LEVEL_1B] = 11,
	[V4L2_MPEG_VIDEO_H264_LEVEL_1_1] = 11,
	[V4L2_MPEG_VIDEO_H264_LEVEL_1_2] = 12,
	[V4L2_MPEG_VIDEO_H264_LEVEL_1_3] = 13,
	[V4L2_MPEG_VIDEO_H264_LEVEL_2_0] = 20,
	[V4L2_MPEG_VIDEO_H264_LEVEL_2_1] = 21,
	[V4L2_MPEG_VIDEO_H264_LEVEL_2_2] = 22,
	[V4L2_MPEG_VIDEO_H264_LEVEL_3_0] = 30,
	[V4L2_MPEG_VIDEO_H264_LEVEL_3_1] = 31,
	[V4L2_MPEG_VIDEO_H264_LEVEL_3_2] = 32,
	[V4L2_MPEG_VIDEO_H264_LEVEL_4_0] = 40,
	[V4L2_MPEG_VIDEO_H264_LEVEL_4_1] = 41,
	[V4L2_MPEG_VIDEO_H264_LEVEL_4_2] = 42,
	[V4L2_MPEG_VIDEO_H264_LEVEL_5_0] = 50,
	[V4L2_MPEG_VIDEO_H264_LEVEL_5_1] = 51,
};

u8 perch_level_idc(const struct perch_context *ctx)
{
	return level_idcs[ctx->level->cur.val];
}

u8 perch_profile_idc(const struct perch_context *ctx, u8 *constraint_flags)
{
	*constraint_flags = 0;
	switch (ctx->profile->cur.val) {
	case V4L2_MPEG_VIDEO_H264_PROFILE_HIGH:
		return 100;
	case V4L2_MPEG_VIDEO_H264_PROFILE_MAIN:
		*constraint_flags = 0x40;
		return 77;
	case V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE:
		*constraint_flags = 0xc0;
		return 66;
	default:
		*constraint_flags = 0x80;
		return 66;
	}
}

int perch_controls_init(struct perch_context *ctx)
{
	struct v4l2_ctrl_handler *hdl = &ctx->controls;
	const u64 profiles = BIT(V4L2_MPEG_VIDEO_H264_PROFILE_BASELINE) |
			     BIT(V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE) |
			     BIT(V4L2_MPEG_VIDEO_H264_PROFILE_MAIN) | BIT(V4L2_MPEG_VIDEO_H264_PROFILE_HIGH);

	v4l2_ctrl_handler_init(hdl, 12);
	v4l2_ctrl_new_std_menu(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_BITRATE_MODE,
			       V4L2_MPEG_VIDEO_BITRATE_MODE_CBR, 0, V4L2_MPEG_VIDEO_BITRATE_MODE_VBR);
	ctx->bitrate = v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_BITRATE,
					 25000, 25000000, 25000, 10000000);
	ctx->header_mode = v4l2_ctrl_new_std_menu(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_HEADER_MODE,
						  V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME, 0,
						  V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME);
	ctx->repeat_headers = v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 1, 0);
	ctx->i_period = v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 0, 0x7fffffff, 1, 60);
	ctx->level = v4l2_ctrl_new_std_menu(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_H264_LEVEL,
					    V4L2_MPEG_VIDEO_H264_LEVEL_5_1, 0, V4L2_MPEG_VIDEO_H264_LEVEL_4_0);
	ctx->profile = v4l2_ctrl_new_std_menu(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_H264_PROFILE,
					      V4L2_MPEG_VIDEO_H264_PROFILE_HIGH, ~profiles,
					      V4L2_MPEG_VIDEO_H264_PROFILE_HIGH);
	v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_H264_MIN_QP, 0, 51, 1, 20);
	v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_H264_MAX_QP, 0, 51, 1, 51);
	v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0, 0);
	v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MPEG_VIDEO_B_FRAMES, 0, 0, 1, 0);
	/* bcm2835-codec lacks this one; the specification wants it. */
	v4l2_ctrl_new_std(hdl, &control_ops, V4L2_CID_MIN_BUFFERS_FOR_OUTPUT, 1, 1, 1, 1);
	if (hdl->error) {
		int ret = hdl->error;

		v4l2_ctrl_handler_free(hdl);
		return ret;
	}
	ctx->fh.ctrl_handler = hdl;
	v4l2_ctrl_handler_setup(hdl);
	atomic_set(&ctx->force_key_frame, 0);	/* setting up pressed the button */
	return 0;
}
