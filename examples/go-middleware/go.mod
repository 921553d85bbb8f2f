module example.com/go-middleware

go 1.22
