// SPDX-License-Identifier: GPL-2.0
/*
 * Raw frames in, Annex B out, with the very coder of the kernel module. ../test.sh sends hard pictures through it and a
 * decoder that we did not write, and compares.
 *
 *     roundtrip i420|nv12|yuyv WIDTH HEIGHT STRIDE IDR_PERIOD <raw >annexb
 */
#include <stdio.h>
#include "../h264.h"

int main(int argc, char **argv)
{
	struct h264_sequence seq = { .profile_idc = 66, .constraint_flags = 0xc0, .level_idc = 40, .frames = 25, .seconds = 1 };
	struct h264_frame frame = { 0 };
	struct h264_coder coder;
	u32 period, count, frame_bytes, capacity;
	u8 *raw, *out;
	int size;

	if (argc != 6) {
		fprintf(stderr, "roundtrip i420|nv12|yuyv WIDTH HEIGHT STRIDE IDR_PERIOD\n");
		return 2;
	}
	frame.layout = argv[1][0] == 'i' ? H264_LAYOUT_I420 : argv[1][0] == 'n' ? H264_LAYOUT_NV12 : H264_LAYOUT_YUYV;
	seq.width = atoi(argv[2]);
	seq.height = atoi(argv[3]);
	frame.stride = atoi(argv[4]);
	frame.buffer_height = seq.height;
	period = atoi(argv[5]);
	frame_bytes = frame.layout == H264_LAYOUT_YUYV ? frame.stride * seq.height : frame.stride * seq.height * 3 / 2;
	capacity = h264_max_picture_bytes(seq.width, seq.height);
	raw = malloc(frame_bytes);
	out = malloc(capacity);
	if (!raw || !out || h264_coder_init(&coder, seq.width, seq.height))
		return 1;
	frame.data = raw;
	size = h264_write_parameter_sets(&seq, out, capacity);
	for (count = 0; ; count++) {
		if (size < 0) {
			fprintf(stderr, "roundtrip: picture %u: error %d\n", count, size);
			return 1;
		}
		if (fwrite(out, 1, size, stdout) != (size_t)size)
			return 1;
		if (fread(raw, 1, frame_bytes, stdin) != frame_bytes)
			break;
		size = h264_code_picture(&coder, &frame, count % period == 0, out, capacity);
	}
	h264_coder_free(&coder);
	free(out);
	free(raw);
	return 0;
}
