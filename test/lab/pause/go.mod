module mailseal.dev/lab/pause

go 1.22
