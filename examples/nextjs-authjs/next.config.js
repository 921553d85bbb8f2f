export default {
  // The folder above has a lock file too, which Next.js would take for that of this app.
  turbopack: { root: import.meta.dirname },
  // The addresses of Rollcall stay as they are.
  skipTrailingSlashRedirect: true,
};
