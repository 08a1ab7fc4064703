// Where Perch is on its host: behind a reverse proxy it may be below a path (`[server] path`). The daemon says so by the
// addresses of the modules: they are below it, in assets/.

const { pathname } = new URL(import.meta.url);

/** Empty, or a path such as "/perch". */
export const base = pathname.slice(0, Math.max(0, pathname.lastIndexOf("/assets/")));

/**
 * An address of the site as the browser must ask for it. Addresses that the daemon gave are complete, and stay as they are:
 * none of its own begins like the path.
 * @param {string} address  begins with a slash
 */
export const at = (address) => (base === "" || address === base || address.startsWith(`${base}/`) ? address : base + address);

/**
 * The same without the path, as the table of screens has it.
 * @param {string} address
 */
export const within = (address) => (address === base || address.startsWith(`${base}/`) ? address.slice(base.length) || "/" : address);
