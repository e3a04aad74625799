export const userAgent = 'mailseal-agent';
