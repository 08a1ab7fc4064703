// SPDX-License-Identifier: GPL-2.0
/* Buffers, jobs and the drain, and the faults that a test can order. */
#include <linux/delay.h>
#include <linux/module.h>
#include <media/videobuf2-dma-contig.h>
#include <media/videobuf2-vmalloc.h>
#include "encoder.h"

/* linux issue 4520 of the Raspberry Pi's kernel: with repeated headers the encoder dies after some 20,000 frames. */
#define REPEATED_HEADERS_STALL	20000
/* linux issue 4938: bitrates from here on are taken by the control and refused at STREAMON. */
#define REFUSED_BITRATE		25000000

static const struct v4l2_event eos_event = { .type = V4L2_EVENT_EOS };

static struct perch_queue *queue_of(struct perch_context *ctx, u32 type)
{
	return V4L2_TYPE_IS_OUTPUT(type) ? &ctx->output : &ctx->capture;
}

/* Requests for buffers: the order that memory be short. */
static bool memory_is_short(u32 count)
{
	if (count && enomem_times) {
		enomem_times--;
		return true;
	}
	return enomem_above && count > enomem_above;
}

int perch_reqbufs(struct file *file, void *priv, struct v4l2_requestbuffers *request)
{
	if (memory_is_short(request->count))
		return -ENOMEM;
	return v4l2_m2m_ioctl_reqbufs(file, priv, request);
}

int perch_create_bufs(struct file *file, void *priv, struct v4l2_create_buffers *create)
{
	if (memory_is_short(create->count))
		return -ENOMEM;
	return v4l2_m2m_ioctl_create_bufs(file, priv, create);
}

static int queue_setup(struct vb2_queue *vq, unsigned int *buffers, unsigned int *planes,
		       unsigned int sizes[], struct device *alloc_devs[])
{
	u32 size = queue_of(vb2_get_drv_priv(vq), vq->type)->sizeimage;

	if (*planes)
		return *planes != 1 || sizes[0] < size ? -EINVAL : 0;
	*planes = 1;
	sizes[0] = size;
	return 0;
}

static int buf_out_validate(struct vb2_buffer *vb)
{
	to_vb2_v4l2_buffer(vb)->field = V4L2_FIELD_NONE;
	return 0;
}

static int buf_prepare(struct vb2_buffer *vb)
{
	u32 size = queue_of(vb2_get_drv_priv(vb->vb2_queue), vb->type)->sizeimage;

	if (vb2_plane_size(vb, 0) < size + vb->planes[0].data_offset)
		return -EINVAL;
	if (V4L2_TYPE_IS_CAPTURE(vb->type))
		vb2_set_plane_payload(vb, 0, 0);
	return 0;
}

static void finish_drain_with(struct perch_context *ctx, struct vb2_v4l2_buffer *empty)
{
	vb2_set_plane_payload(&empty->vb2_buf, 0, 0);
	empty->field = V4L2_FIELD_NONE;
	empty->sequence = ctx->capture.sequence++;
	v4l2_m2m_last_buffer_done(ctx->fh.m2m_ctx, empty);
	v4l2_event_queue_fh(&ctx->fh, &eos_event);
}

static void buf_queue(struct vb2_buffer *vb)
{
	struct vb2_v4l2_buffer *vbuf = to_vb2_v4l2_buffer(vb);
	struct perch_context *ctx = vb2_get_drv_priv(vb->vb2_queue);

	/* The drain was only waiting for a CAPTURE buffer to say so. */
	if (V4L2_TYPE_IS_CAPTURE(vb->type) && vb2_is_streaming(vb->vb2_queue) &&
	    v4l2_m2m_dst_buf_is_last(ctx->fh.m2m_ctx)) {
		finish_drain_with(ctx, vbuf);
		return;
	}
	v4l2_m2m_buf_queue(ctx->fh.m2m_ctx, vbuf);
}

static void return_buffers(struct perch_context *ctx, struct vb2_queue *vq, enum vb2_buffer_state state)
{
	struct vb2_v4l2_buffer *vbuf;

	while ((vbuf = V4L2_TYPE_IS_OUTPUT(vq->type) ? v4l2_m2m_src_buf_remove(ctx->fh.m2m_ctx)
						     : v4l2_m2m_dst_buf_remove(ctx->fh.m2m_ctx)))
		v4l2_m2m_buf_done(vbuf, state);
}

static int start_streaming(struct vb2_queue *vq, unsigned int count)
{
	struct perch_context *ctx = vb2_get_drv_priv(vq);
	unsigned long flags;
	int ret = 0;

	if (ctx->bitrate->cur.val >= REFUSED_BITRATE) {
		ret = -EINVAL;
		goto refuse;
	}
	queue_of(ctx, vq->type)->sequence = 0;
	v4l2_m2m_update_start_streaming_state(ctx->fh.m2m_ctx, vq);
	spin_lock_irqsave(&ctx->stall_lock, flags);
	ctx->aborting = false;
	spin_unlock_irqrestore(&ctx->stall_lock, flags);
	if (V4L2_TYPE_IS_CAPTURE(vq->type))
		return 0;

	h264_coder_free(&ctx->coder);
	ret = h264_coder_init(&ctx->coder, ctx->crop.width, ctx->crop.height);
	if (ret)
		goto refuse;
	ctx->headers_sent = false;
	ctx->since_idr = 0;
	return 0;

refuse:
	return_buffers(ctx, vq, VB2_BUF_STATE_QUEUED);
	return ret;
}

/* The framework has cancelled the job already (v4l2_m2m_streamoff), so the buffers and the coder are ours. */
static void stop_streaming(struct vb2_queue *vq)
{
	struct perch_context *ctx = vb2_get_drv_priv(vq);

	if (ctx->stalled && stall_stop_ms)
		msleep(stall_stop_ms);
	return_buffers(ctx, vq, VB2_BUF_STATE_ERROR);
	v4l2_m2m_update_stop_streaming_state(ctx->fh.m2m_ctx, vq);
	if (V4L2_TYPE_IS_OUTPUT(vq->type) && v4l2_m2m_has_stopped(ctx->fh.m2m_ctx))
		v4l2_event_queue_fh(&ctx->fh, &eos_event);
}

static const struct vb2_ops queue_ops = {
	.queue_setup		= queue_setup,
	.buf_out_validate	= buf_out_validate,
	.buf_prepare		= buf_prepare,
	.buf_queue		= buf_queue,
	.start_streaming	= start_streaming,
	.stop_streaming		= stop_streaming,
	.wait_prepare		= vb2_ops_wait_prepare,
	.wait_finish		= vb2_ops_wait_finish,
};

static int queue_init(struct perch_context *ctx, struct vb2_queue *vq, u32 type)
{
	vq->type = type;
	vq->io_modes = VB2_MMAP | VB2_DMABUF;
	vq->drv_priv = ctx;
	vq->buf_struct_size = sizeof(struct v4l2_m2m_buffer);
	vq->ops = &queue_ops;
	vq->mem_ops = contiguous ? &vb2_dma_contig_memops : &vb2_vmalloc_memops;
	vq->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
	vq->lock = &ctx->dev->lock;
	vq->dev = &ctx->dev->pdev->dev;
	return vb2_queue_init(vq);
}

int perch_queues_init(void *priv, struct vb2_queue *output, struct vb2_queue *capture)
{
	int ret;

	ret = queue_init(priv, output, multiplanar ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_OUTPUT);
	if (ret)
		return ret;
	return queue_init(priv, capture, multiplanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE);
}

int perch_encoder_cmd(struct file *file, void *priv, struct v4l2_encoder_cmd *cmd)
{
	struct perch_context *ctx = file_to_context(file);
	struct v4l2_m2m_ctx *m2m_ctx = ctx->fh.m2m_ctx;
	unsigned long flags;
	int ret;

	ret = v4l2_m2m_ioctl_try_encoder_cmd(file, priv, cmd);
	if (ret)
		return ret;
	if (!vb2_is_streaming(&m2m_ctx->out_q_ctx.q) || !vb2_is_streaming(&m2m_ctx->cap_q_ctx.q))
		return 0;
	if (cmd->cmd == V4L2_ENC_CMD_STOP && drain_hangs) {
		spin_lock_irqsave(&ctx->stall_lock, flags);
		ctx->stalled = true;
		spin_unlock_irqrestore(&ctx->stall_lock, flags);
		return 0;
	}
	ret = v4l2_m2m_ioctl_encoder_cmd(file, priv, cmd);
	if (ret)
		return ret;
	if (v4l2_m2m_has_stopped(m2m_ctx)) {
		if (cmd->cmd == V4L2_ENC_CMD_STOP)
			v4l2_event_queue_fh(&ctx->fh, &eos_event);
	} else if (cmd->cmd == V4L2_ENC_CMD_START) {
		vb2_clear_last_buffer_dequeued(&m2m_ctx->cap_q_ctx.q);
	}
	/* Frames that were held back are due now. */
	v4l2_m2m_try_schedule(m2m_ctx);
	return 0;
}

static int job_ready(void *priv)
{
	struct perch_context *ctx = priv;

	return ctx->fh.m2m_ctx->is_draining || v4l2_m2m_num_src_bufs_ready(ctx->fh.m2m_ctx) > hold;
}

static void device_run(void *priv)
{
	struct perch_context *ctx = priv;

	queue_work(ctx->dev->workqueue, &ctx->job);
}

static void job_abort(void *priv)
{
	struct perch_context *ctx = priv;
	unsigned long flags;
	bool held;

	spin_lock_irqsave(&ctx->stall_lock, flags);
	ctx->aborting = true;
	held = ctx->job_held;
	ctx->job_held = false;
	spin_unlock_irqrestore(&ctx->stall_lock, flags);
	if (held)
		v4l2_m2m_job_finish(ctx->dev->m2m_dev, ctx->fh.m2m_ctx);
}

const struct v4l2_m2m_ops perch_m2m_ops = {
	.device_run	= device_run,
	.job_ready	= job_ready,
	.job_abort	= job_abort,
};

/* Whether this picture strikes a fault from which only closing the file helps. */
static bool strikes_stall(struct perch_context *ctx)
{
	if (stall_after && !--stall_after)
		return true;
	/* linux issue 4740 */
	if (ctx->i_period->cur.val == 1)
		return true;
	return ctx->repeat_headers->cur.val && ctx->pictures >= REPEATED_HEADERS_STALL;
}

/* Keeps the job from ever finishing; false when the framework is already waiting for its end. */
static bool hold_job(struct perch_context *ctx)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx->stall_lock, flags);
	ctx->stalled = true;
	ctx->job_held = !ctx->aborting;
	spin_unlock_irqrestore(&ctx->stall_lock, flags);
	return ctx->job_held;
}

static bool idr_is_due(struct perch_context *ctx)
{
	u32 period = ctx->i_period->cur.val;

	return atomic_xchg(&ctx->force_key_frame, 0) || !ctx->coder.has_reference ||
	       (period && ctx->since_idr >= period);
}

static int write_headers(struct perch_context *ctx, u8 *out, u32 capacity)
{
	struct h264_sequence seq = {
		.width = ctx->crop.width,
		.height = ctx->crop.height,
		.level_idc = perch_level_idc(ctx),
		.frames = ctx->frame_interval.denominator,
		.seconds = ctx->frame_interval.numerator,
	};

	seq.profile_idc = perch_profile_idc(ctx, &seq.constraint_flags);
	ctx->headers_sent = true;
	return h264_write_parameter_sets(&seq, out, capacity);
}

/* Bytes written to @dst, or an error. */
static int code(struct perch_context *ctx, struct vb2_v4l2_buffer *src, struct vb2_v4l2_buffer *dst, bool *idr)
{
	struct h264_frame frame = {
		.layout = ctx->format->layout,
		.stride = ctx->output.stride,
		.buffer_height = ctx->output.height,
	};
	u8 *out = vb2_plane_vaddr(&dst->vb2_buf, 0);
	u32 capacity = vb2_plane_size(&dst->vb2_buf, 0);
	u8 *raw = vb2_plane_vaddr(&src->vb2_buf, 0);
	int headers = 0, picture;

	if (!out || !raw)
		return -EFAULT;
	frame.data = raw + src->vb2_buf.planes[0].data_offset;
	*idr = idr_is_due(ctx);
	if (*idr && (!ctx->headers_sent || ctx->repeat_headers->cur.val))
		headers = write_headers(ctx, out, capacity);
	if (headers < 0)
		return headers;
	picture = h264_code_picture(&ctx->coder, &frame, *idr, out + headers, capacity - headers);
	ctx->since_idr = *idr ? 1 : ctx->since_idr + 1;
	ctx->pictures++;
	return picture < 0 ? picture : headers + picture;
}

static bool every(u32 n, u32 count)
{
	return n && count % n == 0;
}

void perch_job(struct work_struct *work)
{
	struct perch_context *ctx = container_of(work, struct perch_context, job);
	struct v4l2_m2m_ctx *m2m_ctx = ctx->fh.m2m_ctx;
	struct vb2_v4l2_buffer *src = v4l2_m2m_next_src_buf(m2m_ctx);
	struct vb2_v4l2_buffer *dst = v4l2_m2m_next_dst_buf(m2m_ctx);
	enum vb2_buffer_state state = VB2_BUF_STATE_DONE;
	bool last = v4l2_m2m_is_last_draining_src_buf(m2m_ctx, src);
	bool idr = false;
	int size;

	if (ctx->stalled || strikes_stall(ctx)) {
		if (hold_job(ctx))
			return;
		goto finish;
	}

	/* The parameter sets in a buffer of their own, before the first picture. */
	if (!ctx->headers_sent && ctx->header_mode->cur.val == V4L2_MPEG_VIDEO_HEADER_MODE_SEPARATE) {
		size = write_headers(ctx, vb2_plane_vaddr(&dst->vb2_buf, 0), vb2_plane_size(&dst->vb2_buf, 0));
		v4l2_m2m_dst_buf_remove(m2m_ctx);
		v4l2_m2m_buf_copy_metadata(src, dst, true);
		dst->flags &= ~(V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME | V4L2_BUF_FLAG_LAST);
		dst->field = V4L2_FIELD_NONE;
		dst->sequence = ctx->capture.sequence++;
		vb2_set_plane_payload(&dst->vb2_buf, 0, max(size, 0));
		v4l2_m2m_buf_done(dst, size < 0 ? VB2_BUF_STATE_ERROR : VB2_BUF_STATE_DONE);
		goto finish;
	}

	if (m2m_ctx->is_draining && v4l2_m2m_num_src_bufs_ready(m2m_ctx) <= drain_loses) {
		v4l2_m2m_src_buf_remove(m2m_ctx);
		src->sequence = ctx->output.sequence++;
		if (last) {
			v4l2_m2m_dst_buf_remove(m2m_ctx);
			finish_drain_with(ctx, dst);
		}
		v4l2_m2m_buf_done(src, VB2_BUF_STATE_DONE);
		goto finish;
	}

	size = code(ctx, src, dst, &idr);
	v4l2_m2m_src_buf_remove(m2m_ctx);
	v4l2_m2m_dst_buf_remove(m2m_ctx);
	v4l2_m2m_buf_copy_metadata(src, dst, true);
	dst->flags &= ~(V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME | V4L2_BUF_FLAG_LAST);
	dst->flags |= idr ? V4L2_BUF_FLAG_KEYFRAME : V4L2_BUF_FLAG_PFRAME;
	dst->field = V4L2_FIELD_NONE;
	src->sequence = ctx->output.sequence++;
	dst->sequence = ctx->capture.sequence++;
	if (size < 0 || every(error_every, ctx->pictures))
		state = VB2_BUF_STATE_ERROR;
	if (size < 0 || every(empty_every, ctx->pictures))
		size = 0;
	vb2_set_plane_payload(&dst->vb2_buf, 0, size);
	if (last) {
		dst->flags |= V4L2_BUF_FLAG_LAST;
		v4l2_m2m_mark_stopped(m2m_ctx);
	}
	v4l2_m2m_buf_done(src, VB2_BUF_STATE_DONE);
	v4l2_m2m_buf_done(dst, state);
	if (last)
		v4l2_event_queue_fh(&ctx->fh, &eos_event);
finish:
	v4l2_m2m_job_finish(ctx->dev->m2m_dev, m2m_ctx);
}
