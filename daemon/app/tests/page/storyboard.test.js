// The small picture of a second, from a WebVTT track.

import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { pictureAt, picturesOf } from "../../../../webui/site/storyboard.js";

const ADDRESS = "http://perch.local/media/01X/thumbnails.vtt";
const TRACK = `WEBVTT

00:00:00.000 --> 00:00:02.000
thumbnails-1.jpg#xywh=0,0,160,90

00:00:02.000 --> 01:00:05.500
thumbnails-1.jpg#xywh=160,0,160,90

100:00:05.500 --> 100:00:09.000
thumbnails-2.jpg#xywh=0,90,160,90
`;

test("each cue names a picture on a sheet", () => {
  const pictures = picturesOf(TRACK, ADDRESS);
  deepEqual(pictures.map(({ from }) => from), [0, 2, 360_005.5]);
  deepEqual(pictures[2], { from: 360_005.5, sheet: "http://perch.local/media/01X/thumbnails-2.jpg", left: 0, top: 90, width: 160, height: 90 });
});

test("the picture of a second is the last one before it", () => {
  const pictures = picturesOf(TRACK, ADDRESS);
  const at = (/** @type {number} */ second) => pictureAt(pictures, second)?.from;
  deepEqual([0, 1.9, 2, 3000, 400_000].map(at), [0, 0, 2, 2, 360_005.5]);
  equal(pictureAt([], 5), null);
  equal(pictureAt(pictures, -1), null);
});

test("what is not understood is left out", () => {
  for (const text of ["", "WEBVTT", "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nsaid, not shown\n", "<html>", "WEBVTT\n\n0:1 --> 0:2\na.jpg#xywh=0,0,1,1"]) {
    deepEqual(picturesOf(text, ADDRESS), []);
  }
  equal(picturesOf("WEBVTT\r\n\r\n01:05.000 --> 01:06.000\r\na.jpg#xywh=1,2,3,4\r\n", ADDRESS)[0]?.from, 65);
});
