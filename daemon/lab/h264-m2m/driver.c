// SPDX-License-Identifier: GPL-2.0
/*
 * perch_h264_m2m: a stateful memory-to-memory H.264 encoder without hardware, for tests only.
 *
 * It stands in for bcm2835-codec, the encoder of Raspberry Pi Zero 2, 3 and 4: same API (multi-planar by default), same raw
 * formats, strides, controls and habits, and, by the switches below, the same ways to fail. Pictures are coded without loss
 * (h264.c), so that a test can compare what went in with what comes out at the far end. Never ship it.
 *
 * Files: driver.c (module, file operations), formats.c (formats, cropping, frame rate), controls.c, queue.c (buffers, jobs, drain,
 * faults), h264.c (the coder). Kernel documentation to read beside it: userspace-api/media/v4l/dev-encoder.rst.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "encoder.h"

MODULE_DESCRIPTION("Test-only stateful H.264 encoder that imitates bcm2835-codec");
MODULE_LICENSE("GPL");

bool multiplanar = true;
module_param(multiplanar, bool, 0444);
MODULE_PARM_DESC(multiplanar, "multi-planar queues as on bcm2835-codec (default), or single-planar");

bool contiguous;
module_param(contiguous, bool, 0444);
MODULE_PARM_DESC(contiguous, "buffers are physically contiguous, and so must be what is imported (default: any memory)");

unsigned int formats_mask = 7;
module_param_named(formats, formats_mask, uint, 0444);
MODULE_PARM_DESC(formats, "raw formats offered: 1 YU12, 2 NV12, 4 YUYV (default: all, 7)");

unsigned int stall_after;
module_param(stall_after, uint, 0644);
MODULE_PARM_DESC(stall_after, "after this many more pictures stop working until the file is closed; back to 0 once it struck");

unsigned int stall_stop_ms;
module_param(stall_stop_ms, uint, 0644);
MODULE_PARM_DESC(stall_stop_ms, "how long STREAMOFF of a stalled encoder takes, in milliseconds, the device locked meanwhile");

unsigned int hold;
module_param(hold, uint, 0644);
MODULE_PARM_DESC(hold, "frames that the encoder keeps back until more come or it is drained");

unsigned int drain_loses;
module_param(drain_loses, uint, 0644);
MODULE_PARM_DESC(drain_loses, "a drain swallows this many of the last frames");

bool drain_hangs;
module_param(drain_hangs, bool, 0644);
MODULE_PARM_DESC(drain_hangs, "a drain never ends");

unsigned int enomem_above;
module_param(enomem_above, uint, 0644);
MODULE_PARM_DESC(enomem_above, "requests for more buffers than this fail with ENOMEM (0: never)");

unsigned int enomem_times;
module_param(enomem_times, uint, 0644);
MODULE_PARM_DESC(enomem_times, "this many requests for buffers fail with ENOMEM; counts down");

unsigned int odd_stride;
module_param(odd_stride, uint, 0644);
MODULE_PARM_DESC(odd_stride, "bytes that bytesperline of OUTPUT formats is longer than it has to be");

unsigned int error_every;
module_param(error_every, uint, 0644);
MODULE_PARM_DESC(error_every, "every so manieth CAPTURE buffer is flagged V4L2_BUF_FLAG_ERROR (0: none)");

unsigned int empty_every;
module_param(empty_every, uint, 0644);
MODULE_PARM_DESC(empty_every, "every so manieth CAPTURE buffer is empty (0: none)");

static struct perch_device *device;

/* There is nothing to probe; the frameworks want a driver's name behind the device. */
static struct platform_driver driver = { .driver = { .name = PERCH_NAME } };
static struct v4l2_ioctl_ops ioctl_ops;

static int perch_open(struct file *file)
{
	struct perch_device *dev = video_drvdata(file);
	struct perch_context *ctx;
	int ret;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	ctx->dev = dev;
	INIT_WORK(&ctx->job, perch_job);
	spin_lock_init(&ctx->stall_lock);
	perch_formats_init(ctx);

	v4l2_fh_init(&ctx->fh, &dev->vfd);
	file->private_data = &ctx->fh;
	ret = perch_controls_init(ctx);
	if (ret)
		goto exit_fh;
	ctx->fh.m2m_ctx = v4l2_m2m_ctx_init(dev->m2m_dev, ctx, perch_queues_init);
	if (IS_ERR(ctx->fh.m2m_ctx)) {
		ret = PTR_ERR(ctx->fh.m2m_ctx);
		goto free_controls;
	}
	v4l2_fh_add(&ctx->fh);
	return 0;

free_controls:
	v4l2_ctrl_handler_free(&ctx->controls);
exit_fh:
	v4l2_fh_exit(&ctx->fh);
	kfree(ctx);
	return ret;
}

static int perch_release(struct file *file)
{
	struct perch_context *ctx = file_to_context(file);
	struct perch_device *dev = ctx->dev;

	v4l2_fh_del(&ctx->fh);
	v4l2_fh_exit(&ctx->fh);
	mutex_lock(&dev->lock);
	v4l2_m2m_ctx_release(ctx->fh.m2m_ctx);
	mutex_unlock(&dev->lock);
	v4l2_ctrl_handler_free(&ctx->controls);
	h264_coder_free(&ctx->coder);
	kfree(ctx);
	return 0;
}

static const struct v4l2_file_operations file_ops = {
	.owner		= THIS_MODULE,
	.open		= perch_open,
	.release	= perch_release,
	.poll		= v4l2_m2m_fop_poll,
	.unlocked_ioctl	= video_ioctl2,
	.mmap		= v4l2_m2m_fop_mmap,
};

static int perch_querycap(struct file *file, void *priv, struct v4l2_capability *cap)
{
	strscpy(cap->driver, PERCH_NAME, sizeof(cap->driver));
	strscpy(cap->card, PERCH_NAME, sizeof(cap->card));
	snprintf(cap->bus_info, sizeof(cap->bus_info), "platform:%s", PERCH_NAME);
	return 0;
}

static int perch_subscribe_event(struct v4l2_fh *fh, const struct v4l2_event_subscription *sub)
{
	if (sub->type == V4L2_EVENT_EOS)
		return v4l2_event_subscribe(fh, sub, 2, NULL);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

static void fill_ioctl_ops(struct v4l2_ioctl_ops *ops)
{
	ops->vidioc_querycap		= perch_querycap;
	ops->vidioc_reqbufs		= perch_reqbufs;
	ops->vidioc_create_bufs		= perch_create_bufs;
	ops->vidioc_querybuf		= v4l2_m2m_ioctl_querybuf;
	ops->vidioc_qbuf		= v4l2_m2m_ioctl_qbuf;
	ops->vidioc_dqbuf		= v4l2_m2m_ioctl_dqbuf;
	ops->vidioc_prepare_buf		= v4l2_m2m_ioctl_prepare_buf;
	ops->vidioc_expbuf		= v4l2_m2m_ioctl_expbuf;
	ops->vidioc_streamon		= v4l2_m2m_ioctl_streamon;
	ops->vidioc_streamoff		= v4l2_m2m_ioctl_streamoff;
	ops->vidioc_try_encoder_cmd	= v4l2_m2m_ioctl_try_encoder_cmd;
	ops->vidioc_encoder_cmd		= perch_encoder_cmd;
	ops->vidioc_subscribe_event	= perch_subscribe_event;
	ops->vidioc_unsubscribe_event	= v4l2_event_unsubscribe;
	perch_fill_ioctl_ops(ops, multiplanar);
}

static int register_video_device(struct perch_device *dev)
{
	struct video_device *vfd = &dev->vfd;

	strscpy(vfd->name, PERCH_NAME, sizeof(vfd->name));
	vfd->vfl_dir = VFL_DIR_M2M;
	vfd->fops = &file_ops;
	vfd->ioctl_ops = &ioctl_ops;
	vfd->release = video_device_release_empty;
	vfd->lock = &dev->lock;
	vfd->v4l2_dev = &dev->v4l2_dev;
	vfd->device_caps = V4L2_CAP_STREAMING | (multiplanar ? V4L2_CAP_VIDEO_M2M_MPLANE : V4L2_CAP_VIDEO_M2M);
	video_set_drvdata(vfd, dev);
	return video_register_device(vfd, VFL_TYPE_VIDEO, -1);
}

/* Says that the node is an encoder, as bcm2835-codec's does. */
static void init_media_device(struct perch_device *dev)
{
	dev->media.dev = &dev->pdev->dev;
	strscpy(dev->media.model, PERCH_NAME, sizeof(dev->media.model));
	snprintf(dev->media.bus_info, sizeof(dev->media.bus_info), "platform:%s", PERCH_NAME);
	media_device_init(&dev->media);
	dev->v4l2_dev.mdev = &dev->media;
}

static int __init perch_init(void)
{
	struct perch_device *dev;
	int ret;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	mutex_init(&dev->lock);
	if (!(formats_mask & 7))
		formats_mask = 7;
	fill_ioctl_ops(&ioctl_ops);

	ret = platform_driver_register(&driver);
	if (ret)
		goto free_device;
	dev->pdev = platform_device_register_simple(PERCH_NAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(dev->pdev)) {
		ret = PTR_ERR(dev->pdev);
		goto unregister_driver;
	}
	ret = dma_coerce_mask_and_coherent(&dev->pdev->dev, DMA_BIT_MASK(32));
	if (ret)
		goto unregister_pdev;
	ret = v4l2_device_register(&dev->pdev->dev, &dev->v4l2_dev);
	if (ret)
		goto unregister_pdev;
	dev->workqueue = alloc_workqueue(PERCH_NAME, WQ_UNBOUND, 0);
	if (!dev->workqueue) {
		ret = -ENOMEM;
		goto unregister_v4l2;
	}
	dev->m2m_dev = v4l2_m2m_init(&perch_m2m_ops);
	if (IS_ERR(dev->m2m_dev)) {
		ret = PTR_ERR(dev->m2m_dev);
		goto destroy_workqueue;
	}
	init_media_device(dev);
	ret = register_video_device(dev);
	if (ret)
		goto release_m2m;
	ret = v4l2_m2m_register_media_controller(dev->m2m_dev, &dev->vfd, MEDIA_ENT_F_PROC_VIDEO_ENCODER);
	if (ret)
		goto unregister_video;
	ret = media_device_register(&dev->media);
	if (ret)
		goto unregister_controller;
	device = dev;
	return 0;

unregister_controller:
	v4l2_m2m_unregister_media_controller(dev->m2m_dev);
unregister_video:
	video_unregister_device(&dev->vfd);
release_m2m:
	media_device_cleanup(&dev->media);
	v4l2_m2m_release(dev->m2m_dev);
destroy_workqueue:
	destroy_workqueue(dev->workqueue);
unregister_v4l2:
	v4l2_device_unregister(&dev->v4l2_dev);
unregister_pdev:
	platform_device_unregister(dev->pdev);
unregister_driver:
	platform_driver_unregister(&driver);
free_device:
	kfree(dev);
	return ret;
}

/* No file is open any more: each holds a reference to the module. */
static void __exit perch_exit(void)
{
	media_device_unregister(&device->media);
	v4l2_m2m_unregister_media_controller(device->m2m_dev);
	video_unregister_device(&device->vfd);
	v4l2_m2m_release(device->m2m_dev);
	media_device_cleanup(&device->media);
	destroy_workqueue(device->workqueue);
	v4l2_device_unregister(&device->v4l2_dev);
	platform_device_unregister(device->pdev);
	platform_driver_unregister(&driver);
	kfree(device);
}

module_init(perch_init);
module_exit(perch_exit);
