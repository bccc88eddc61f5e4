"""The console: a page on loopback that shows a server live, with an operator's own certificate.

feed       follows the log through the API for its pages: present, then story
present    the nodes as they are, and the newest events
story      the log as the chunks that a page reads
statuses   a node's status, event by event
guard      who may ask: one-time URL, cookie, Host, Origin; and the headers of each answer
reads      what the page asks for beside the feed
actions    what an administrator changes through it
app        puts them together;  serving: on a port of loopback
page/      the modules of the page that only the console has; the others are those of the
           exported page (nc/history/export/page/)
"""
