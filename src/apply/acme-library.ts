/** What is large and loaded late: named exports of CommonJS packages survive bundling only through a static import. */
export { Client } from 'acme-client';
export { Agent, request } from 'undici';
