/* SPDX-License-Identifier: GPL-2.0 */
/* What the module's files share: the device, the open file, the switches. See driver.c for what the module is. */
#ifndef PERCH_ENCODER_H
#define PERCH_ENCODER_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/workqueue.h>
#include <media/media-device.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-ioctl.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-v4l2.h>
#include "h264.h"

#define PERCH_NAME		"perch-h264-m2m"
#define PERCH_MIN_SIZE		32U
#define PERCH_MAX_SIZE		1920U

/* Switches that make the encoder misbehave; each is described beside its module_param() in driver.c. */
extern unsigned int stall_after;
extern unsigned int stall_stop_ms;
extern unsigned int hold;
extern unsigned int drain_loses;
extern bool drain_hangs;
extern unsigned int enomem_above;
extern unsigned int enomem_times;
extern unsigned int odd_stride;
extern unsigned int error_every;
extern unsigned int empty_every;
extern unsigned int formats_mask;
extern bool multiplanar;
extern bool contiguous;

struct perch_device {
	struct platform_device *pdev;
	struct v4l2_device v4l2_dev;
	struct media_device media;
	struct video_device vfd;
	struct v4l2_m2m_dev *m2m_dev;
	struct workqueue_struct *workqueue;
	struct mutex lock;	/* serialises ioctls of all files, like bcm2835-codec's */
};

struct perch_format {
	u32 fourcc;
	enum h264_layout layout;
	u32 bytes_per_pixel;	/* of the first plane's rows */
	u32 stride_align;
	u32 size_times_two;	/* sizeimage is stride * height * this / 2 */
};

/* One queue's format. */
struct perch_queue {
	u32 width;
	u32 height;
	u32 stride;
	u32 sizeimage;
	u32 sequence;
};

/* One open file: an encoder of its own, sharing the device by turns. */
struct perch_context {
	struct v4l2_fh fh;
	struct perch_device *dev;
	struct v4l2_ctrl_handler controls;
	struct work_struct job;

	const struct perch_format *format;	/* of the OUTPUT queue */
	struct perch_queue output;
	struct perch_queue capture;
	struct v4l2_rect crop;
	u32 colorspace, xfer_func, ycbcr_enc, quantization;
	struct v4l2_fract frame_interval;

	/* Mirrors of the controls, read by the job. */
	struct v4l2_ctrl *bitrate, *i_period, *header_mode, *repeat_headers, *profile, *level;
	atomic_t force_key_frame;

	/* Owned by the job while streaming. */
	struct h264_coder coder;
	bool headers_sent;
	u32 pictures;			/* since the file was opened */
	u32 since_idr;

	spinlock_t stall_lock;		/* the next three, between the job and its abortion */
	bool stalled;			/* until the file is closed */
	bool job_held;			/* a stalled job that nobody finishes */
	bool aborting;
};

static inline struct perch_context *file_to_context(struct file *file)
{
	return container_of(file->private_data, struct perch_context, fh);
}

/* formats.c */
void perch_formats_init(struct perch_context *ctx);
void perch_fill_ioctl_ops(struct v4l2_ioctl_ops *ops, bool mplane);

/* controls.c */
int perch_controls_init(struct perch_context *ctx);
u8 perch_profile_idc(const struct perch_context *ctx, u8 *constraint_flags);
u8 perch_level_idc(const struct perch_context *ctx);

/* queue.c */
extern const struct v4l2_m2m_ops perch_m2m_ops;
int perch_queues_init(void *priv, struct vb2_queue *output, struct vb2_queue *capture);
void perch_job(struct work_struct *work);
int perch_encoder_cmd(struct file *file, void *priv, struct v4l2_encoder_cmd *cmd);
int perch_reqbufs(struct file *file, void *priv, struct v4l2_requestbuffers *request);
int perch_create_bufs(struct file *file, void *priv, struct v4l2_create_buffers *create);

#endif
