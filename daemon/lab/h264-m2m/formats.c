// SPDX-License-Identifier: GPL-2.0
/*
 * Formats, frame sizes, cropping and frame rate. All are worked out in the multi-planar structure with its one plane; the single-planar
 * calls convert.
 */
#include "encoder.h"

/* Alignments as in bcm2835-codec. */
static const struct perch_format formats[] = {
	{ V4L2_PIX_FMT_YUV420, H264_LAYOUT_I420, 1, 64, 3 },
	{ V4L2_PIX_FMT_NV12, H264_LAYOUT_NV12, 1, 32, 3 },
	{ V4L2_PIX_FMT_YUYV, H264_LAYOUT_YUYV, 2, 64, 2 },
};

static const struct perch_format *find_format(u32 fourcc)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].fourcc == fourcc && formats_mask & BIT(i))
			return &formats[i];
	return NULL;
}

/* The format number @index of those that the parameter leaves. */
static const struct perch_format *nth_format(u32 index)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats_mask & BIT(i) && !index--)
			return &formats[i];
	return NULL;
}

static u32 output_stride(const struct perch_format *format, u32 width, u32 asked)
{
	u32 stride = ALIGN(max(width * format->bytes_per_pixel, min(asked, 8 * PERCH_MAX_SIZE)), format->stride_align);
	u32 more = odd_stride;

	/* Chroma rows of I420 are half as long: an odd number of bytes cannot be halved. */
	if (format->layout == H264_LAYOUT_I420)
		more *= 2;
	/* An application that gives back what it was given must not see it grow again. */
	if (more && asked >= more && asked - more >= width * format->bytes_per_pixel &&
	    IS_ALIGNED(asked - more, format->stride_align))
		return asked;
	return stride + more;
}

static void try_output(struct perch_context *ctx, struct v4l2_pix_format_mplane *pix)
{
	const struct perch_format *format = find_format(pix->pixelformat);
	struct v4l2_plane_pix_format *plane = &pix->plane_fmt[0];

	if (!format)
		format = nth_format(0);
	pix->pixelformat = format->fourcc;
	pix->width = ALIGN(clamp(pix->width, PERCH_MIN_SIZE, PERCH_MAX_SIZE), 2);
	pix->height = ALIGN(clamp(pix->height, PERCH_MIN_SIZE, PERCH_MAX_SIZE), 2);
	pix->field = V4L2_FIELD_NONE;
	pix->num_planes = 1;
	plane->bytesperline = output_stride(format, pix->width, plane->bytesperline);
	plane->sizeimage = plane->bytesperline * pix->height * format->size_times_two / 2;
	if (pix->colorspace == V4L2_COLORSPACE_DEFAULT)
		pix->colorspace = V4L2_COLORSPACE_REC709;
}

static void try_capture(struct perch_context *ctx, struct v4l2_pix_format_mplane *pix)
{
	struct v4l2_plane_pix_format *plane = &pix->plane_fmt[0];

	pix->pixelformat = V4L2_PIX_FMT_H264;
	pix->width = clamp(pix->width, PERCH_MIN_SIZE, PERCH_MAX_SIZE);
	pix->height = clamp(pix->height, PERCH_MIN_SIZE, PERCH_MAX_SIZE);
	pix->field = V4L2_FIELD_NONE;
	pix->num_planes = 1;
	plane->bytesperline = 0;
	plane->sizeimage = clamp(plane->sizeimage, h264_max_picture_bytes(pix->width, pix->height), 32U << 20);
	/* Colour is what the OUTPUT queue says. */
	pix->colorspace = ctx->colorspace;
	pix->xfer_func = ctx->xfer_func;
	pix->ycbcr_enc = ctx->ycbcr_enc;
	pix->quantization = ctx->quantization;
}

static void get_format(struct perch_context *ctx, bool output, struct v4l2_pix_format_mplane *pix)
{
	const struct perch_queue *queue = output ? &ctx->output : &ctx->capture;

	memset(pix, 0, sizeof(*pix));
	pix->width = queue->width;
	pix->height = queue->height;
	pix->pixelformat = output ? ctx->format->fourcc : V4L2_PIX_FMT_H264;
	pix->field = V4L2_FIELD_NONE;
	pix->num_planes = 1;
	pix->plane_fmt[0].bytesperline = queue->stride;
	pix->plane_fmt[0].sizeimage = queue->sizeimage;
	pix->colorspace = ctx->colorspace;
	pix->xfer_func = ctx->xfer_func;
	pix->ycbcr_enc = ctx->ycbcr_enc;
	pix->quantization = ctx->quantization;
}

static void set_queue(struct perch_queue *queue, const struct v4l2_pix_format_mplane *pix)
{
	queue->width = pix->width;
	queue->height = pix->height;
	queue->stride = pix->plane_fmt[0].bytesperline;
	queue->sizeimage = pix->plane_fmt[0].sizeimage;
}

static void set_output(struct perch_context *ctx, const struct v4l2_pix_format_mplane *pix)
{
	struct v4l2_pix_format_mplane coded = { .width = pix->width, .height = pix->height };

	ctx->format = find_format(pix->pixelformat);
	set_queue(&ctx->output, pix);
	ctx->crop = (struct v4l2_rect){ .width = pix->width, .height = pix->height };
	ctx->colorspace = pix->colorspace;
	ctx->xfer_func = pix->xfer_func;
	ctx->ycbcr_enc = pix->ycbcr_enc;
	ctx->quantization = pix->quantization;
	/* The coded size follows the raw size; a larger buffer that was asked for before stays. */
	coded.plane_fmt[0].sizeimage = ctx->capture.sizeimage;
	try_capture(ctx, &coded);
	set_queue(&ctx->capture, &coded);
}

void perch_formats_init(struct perch_context *ctx)
{
	/* The smallest size, as on bcm2835-codec: whoever forgets to set a format sees it. */
	struct v4l2_pix_format_mplane pix = { .width = PERCH_MIN_SIZE, .height = PERCH_MIN_SIZE };

	try_output(ctx, &pix);
	set_output(ctx, &pix);
	ctx->frame_interval = (struct v4l2_fract){ 1, 30 };
}

static int set_format(struct file *file, u32 type, struct v4l2_pix_format_mplane *pix)
{
	struct perch_context *ctx = file_to_context(file);
	struct vb2_queue *queue = v4l2_m2m_get_vq(ctx->fh.m2m_ctx, type);
	bool output = V4L2_TYPE_IS_OUTPUT(type);

	if (output)
		try_output(ctx, pix);
	else
		try_capture(ctx, pix);
	if (vb2_is_busy(queue))
		return -EBUSY;
	if (output) {
		if (vb2_is_busy(v4l2_m2m_get_vq(ctx->fh.m2m_ctx, multiplanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
									     : V4L2_BUF_TYPE_VIDEO_CAPTURE)) &&
		    (pix->width != ctx->output.width || pix->height != ctx->output.height))
			return -EBUSY;
		set_output(ctx, pix);
	} else {
		/* The picture's size is the OUTPUT queue's affair: dev-encoder.rst. */
		pix->width = ctx->output.width;
		pix->height = ctx->output.height;
		try_capture(ctx, pix);
		set_queue(&ctx->capture, pix);
	}
	return 0;
}

static int g_fmt_mplane(struct file *file, void *priv, struct v4l2_format *f)
{
	get_format(file_to_context(file), V4L2_TYPE_IS_OUTPUT(f->type), &f->fmt.pix_mp);
	return 0;
}

static int try_fmt_out_mplane(struct file *file, void *priv, struct v4l2_format *f)
{
	try_output(file_to_context(file), &f->fmt.pix_mp);
	return 0;
}

static int try_fmt_cap_mplane(struct file *file, void *priv, struct v4l2_format *f)
{
	try_capture(file_to_context(file), &f->fmt.pix_mp);
	return 0;
}

static int s_fmt_mplane(struct file *file, void *priv, struct v4l2_format *f)
{
	return set_format(file, f->type, &f->fmt.pix_mp);
}

static void to_mplane(const struct v4l2_pix_format *pix, struct v4l2_pix_format_mplane *mp)
{
	memset(mp, 0, sizeof(*mp));
	mp->width = pix->width;
	mp->height = pix->height;
	mp->pixelformat = pix->pixelformat;
	mp->plane_fmt[0].bytesperline = pix->bytesperline;
	mp->plane_fmt[0].sizeimage = pix->sizeimage;
	mp->colorspace = pix->colorspace;
	mp->xfer_func = pix->xfer_func;
	mp->ycbcr_enc = pix->ycbcr_enc;
	mp->quantization = pix->quantization;
}

static void from_mplane(const struct v4l2_pix_format_mplane *mp, struct v4l2_pix_format *pix)
{
	pix->width = mp->width;
	pix->height = mp->height;
	pix->pixelformat = mp->pixelformat;
	pix->field = mp->field;
	pix->bytesperline = mp->plane_fmt[0].bytesperline;
	pix->sizeimage = mp->plane_fmt[0].sizeimage;
	pix->colorspace = mp->colorspace;
	pix->xfer_func = mp->xfer_func;
	pix->ycbcr_enc = mp->ycbcr_enc;
	pix->quantization = mp->quantization;
}

static int g_fmt_single(struct file *file, void *priv, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane mp;

	get_format(file_to_context(file), V4L2_TYPE_IS_OUTPUT(f->type), &mp);
	from_mplane(&mp, &f->fmt.pix);
	return 0;
}

static int try_fmt_single(struct file *file, void *priv, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane mp;

	to_mplane(&f->fmt.pix, &mp);
	if (V4L2_TYPE_IS_OUTPUT(f->type))
		try_output(file_to_context(file), &mp);
	else
		try_capture(file_to_context(file), &mp);
	from_mplane(&mp, &f->fmt.pix);
	return 0;
}

static int s_fmt_single(struct file *file, void *priv, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane mp;
	int ret;

	to_mplane(&f->fmt.pix, &mp);
	ret = set_format(file, f->type, &mp);
	from_mplane(&mp, &f->fmt.pix);
	return ret;
}

static int enum_fmt_out(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	const struct perch_format *format = nth_format(f->index);

	if (!format)
		return -EINVAL;
	f->pixelformat = format->fourcc;
	return 0;
}

static int enum_fmt_cap(struct file *file, void *priv, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = V4L2_PIX_FMT_H264;
	return 0;
}

static int enum_framesizes(struct file *file, void *priv, struct v4l2_frmsizeenum *sizes)
{
	if (sizes->index || (sizes->pixel_format != V4L2_PIX_FMT_H264 && !find_format(sizes->pixel_format)))
		return -EINVAL;
	sizes->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	sizes->stepwise = (struct v4l2_frmsize_stepwise){
		PERCH_MIN_SIZE, PERCH_MAX_SIZE, 2, PERCH_MIN_SIZE, PERCH_MAX_SIZE, 2,
	};
	return 0;
}

/* The core hands selection calls over with single-planar types, whatever the device is. */
static int g_selection(struct file *file, void *priv, struct v4l2_selection *sel)
{
	struct perch_context *ctx = file_to_context(file);

	if (sel->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
		return -EINVAL;
	switch (sel->target) {
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		sel->r = (struct v4l2_rect){ .width = ctx->output.width, .height = ctx->output.height };
		return 0;
	case V4L2_SEL_TGT_CROP:
		sel->r = ctx->crop;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Only from the top left corner, as on bcm2835-codec. */
static int s_selection(struct file *file, void *priv, struct v4l2_selection *sel)
{
	struct perch_context *ctx = file_to_context(file);

	if (sel->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || sel->target != V4L2_SEL_TGT_CROP)
		return -EINVAL;
	if (vb2_is_streaming(&ctx->fh.m2m_ctx->out_q_ctx.q))
		return -EBUSY;
	sel->r.left = 0;
	sel->r.top = 0;
	sel->r.width = ALIGN(clamp(sel->r.width, 2U, ctx->output.width), 2);
	sel->r.height = ALIGN(clamp(sel->r.height, 2U, ctx->output.height), 2);
	ctx->crop = sel->r;
	return 0;
}

static int g_parm(struct file *file, void *priv, struct v4l2_streamparm *parm)
{
	if (!V4L2_TYPE_IS_OUTPUT(parm->type))
		return -EINVAL;
	parm->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
	parm->parm.output.timeperframe = file_to_context(file)->frame_interval;
	return 0;
}

static int s_parm(struct file *file, void *priv, struct v4l2_streamparm *parm)
{
	struct v4l2_fract *interval = &parm->parm.output.timeperframe;

	if (!V4L2_TYPE_IS_OUTPUT(parm->type))
		return -EINVAL;
	if (!interval->numerator || !interval->denominator || interval->denominator > INT_MAX / 2)
		*interval = (struct v4l2_fract){ 1, 30 };
	file_to_context(file)->frame_interval = *interval;
	return g_parm(file, priv, parm);
}

void perch_fill_ioctl_ops(struct v4l2_ioctl_ops *ops, bool mplane)
{
	ops->vidioc_enum_fmt_vid_out = enum_fmt_out;
	ops->vidioc_enum_fmt_vid_cap = enum_fmt_cap;
	ops->vidioc_enum_framesizes = enum_framesizes;
	ops->vidioc_g_selection = g_selection;
	ops->vidioc_s_selection = s_selection;
	ops->vidioc_g_parm = g_parm;
	ops->vidioc_s_parm = s_parm;
	if (mplane) {
		ops->vidioc_g_fmt_vid_out_mplane = g_fmt_mplane;
		ops->vidioc_g_fmt_vid_cap_mplane = g_fmt_mplane;
		ops->vidioc_try_fmt_vid_out_mplane = try_fmt_out_mplane;
		ops->vidioc_try_fmt_vid_cap_mplane = try_fmt_cap_mplane;
		ops->vidioc_s_fmt_vid_out_mplane = s_fmt_mplane;
		ops->vidioc_s_fmt_vid_cap_mplane = s_fmt_mplane;
	} else {
		ops->vidioc_g_fmt_vid_out = g_fmt_single;
		ops->vidioc_g_fmt_vid_cap = g_fmt_single;
		ops->vidioc_try_fmt_vid_out = try_fmt_single;
		ops->vidioc_try_fmt_vid_cap = try_fmt_single;
		ops->vidioc_s_fmt_vid_out = s_fmt_single;
		ops->vidioc_s_fmt_vid_cap = s_fmt_single;
	}
}
