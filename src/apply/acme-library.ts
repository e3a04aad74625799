/** What is large and loaded late: a named export of a CommonJS package survives bundling only through a static import. */
export { Client } from 'acme-client';
export { Agent, request } from 'undici';
