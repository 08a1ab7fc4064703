// Sends a request as fetch does, and reports upload progress, which fetch cannot. Logins and refusals are in api.js.

/**
 * @param {string} address
 * @param {{ method: string, headers: Record<string, string>, body: Blob, signal: AbortSignal }} request
 * @param {(sent: number) => void} onProgress  in bytes
 * @returns {Promise<Response>}
 */
export function upload(address, { method, headers, body, signal }, onProgress) {
  return new Promise((answer, fail) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onload = () => answer(new Response(request.responseText || null, { status: request.status, headers: headersOf(request) }));
    request.onerror = () => fail(new TypeError("the upload was interrupted"));
    request.onabort = () => fail(signal.reason);
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    if (signal.aborted) fail(signal.reason);
    else request.send(body);
  });
}

/** @param {XMLHttpRequest} request */
function headersOf(request) {
  const lines = request.getAllResponseHeaders().trim().split("\r\n").filter(Boolean);
  return new Headers(lines.map((line) => /** @type {[string, string]} */ (line.split(/: (.*)/s, 2))));
}
