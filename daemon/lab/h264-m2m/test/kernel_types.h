/* SPDX-License-Identifier: GPL-2.0 */
/* The few kernel names that h264.c uses, for building it in user space. */
#ifndef PERCH_KERNEL_TYPES_H
#define PERCH_KERNEL_TYPES_H
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define vmalloc			malloc
#define vfree			free
#endif
