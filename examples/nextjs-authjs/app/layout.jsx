export const metadata = { title: 'Next.js, Auth.js and Rollcall', icons: 'data:,' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body style={{ font: '16px/1.5 system-ui', maxWidth: '40rem', margin: '3rem auto' }}>
        <h1>Next.js, Auth.js and Rollcall</h1>
        {children}
      </body>
    </html>
  );
}
