package slots

import "testing"

func TestTheCRCIsThatOfTheRedisClusterSpecification(t *testing.T) {
	if got := crc16("123456789"); got != 0x31c3 {
		t.Errorf("crc16 of the check string is %#x, want 0x31c3", got)
	}
}

func TestNamesOfOneTagShareASlot(t *testing.T) {
	same := [][2]string{
		{"{user1000}.following", "{user1000}.followers"},
		{"{user1000}.following", "user1000"},
		{"foo{bar}{zap}", "bar"},
		{"foo{{bar}}zap", "{bar"},
		{"größe{ü}", "ü"},
	}
	for _, pair := range same {
		if Of(pair[0]) != Of(pair[1]) {
			t.Errorf("%q and %q have different slots", pair[0], pair[1])
		}
	}
}

func TestAnEmptyOrOpenTagIsNone(t *testing.T) {
	for _, name := range []string{"foo{}{bar}", "foo{bar", "foo}bar{"} {
		if got, want := Of(name), int(crc16(name))%Count; got != want {
			t.Errorf("slot of %q is %d, want that of the whole name, %d", name, got, want)
		}
	}
	if Of("foo") != 12182 || Of("bar") != 5061 {
		t.Errorf("slots of foo and bar are %d and %d, want 12182 and 5061 as in Redis", Of("foo"), Of("bar"))
	}
}
