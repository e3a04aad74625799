/** What is large and loaded late: named exports of CommonJS packages survive bundling only through a static import. */
export { Agent, request } from 'undici';
