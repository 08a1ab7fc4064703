export { default, Events, ErrorTypes } from 'hls.js';
