// Keeps the page's files, so that it opens offline. Online, the host's files come first: they may be newer.

const FILES = FILES_OF_THE_BUILD;
const PAGE = "./"; // of FILES
const KEPT = self.registration.scope; // name of the cache: another page of this host has its own

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOld().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(self.registration.scope)) event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(KEPT);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request.mode === "navigate" ? PAGE : request);
    if (kept) return kept;
    throw error;
  }
}

// Files of earlier builds.
async function forgetOld() {
  const cache = await caches.open(KEPT), wanted = FILES.map((file) => new URL(file, self.registration.scope).href);
  for (const request of await cache.keys()) if (!wanted.includes(request.url)) await cache.delete(request);
}
