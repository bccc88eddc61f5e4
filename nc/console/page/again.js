// In the page itself: if a file of it does not come, the page is loaded anew. Without one of its
// modules nothing is shown, and browsers give requests up while the network of their machine changes.

let again = 0;
addEventListener(
  "error",
  ({ target }) => {
    // a module that was only to come sooner is asked for once more by who imports it
    const isNeeded = target.localName === "script" || target.rel === "stylesheet";
    if (isNeeded) again ||= setTimeout(() => location.reload(), 1000);
  },
  true,
);
