// Two tests to be marked as units.
package marked

import (
	"os"
	"testing"
)

func TestPasswd(t *testing.T) {
	if _, err := os.ReadFile("/etc/passwd"); err != nil {
		t.Fatal(err)
	}
}

func TestGroup(t *testing.T) {
	if _, err := os.ReadFile("/etc/group"); err != nil {
		t.Fatal(err)
	}
}
