module marked

go 1.19
