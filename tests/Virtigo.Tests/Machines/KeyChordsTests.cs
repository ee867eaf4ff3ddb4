using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class KeyChordsTests
{
    [Theory]
    [InlineData("ctrl-alt-delete", "ctrl alt delete")]
    [InlineData("Ctrl-Alt-F2", "ctrl alt f2")]
    [InlineData("enter", "ret")]
    [InlineData("A", "a")]
    [InlineData("alt-sysrq-b", "alt sysrq b")]
    [InlineData("shift-minus", "shift minus")]
    public void A_chord_is_its_keys(string chord, string expected) => Assert.Equal(expected, string.Join(' ', KeyChords.Chord(chord)));

    [Fact]
    public void Text_is_typed_as_on_a_US_keyboard() => Assert.Equal(
        "shift+h|i|spc|shift+1|shift+minus|shift+apostrophe|slash|shift+grave_accent|ret",
        string.Join('|', KeyChords.Text("Hi !_\"/~\n").Select(keys => string.Join('+', keys))));

    [Fact]
    public void Every_printable_character_can_be_typed() =>
        Assert.All(Enumerable.Range(' ', 95), code => Assert.NotEmpty(KeyChords.Text(((char)code).ToString())[0]));

    [Theory]
    [InlineData("ctrl-nosuchkey")]
    [InlineData("")]
    [InlineData("f13")]
    [InlineData("a-b-c-d-e-f-g-h-i")]
    public void A_key_that_is_none_is_refused(string chord) =>
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => KeyChords.Chord(chord)).Kind);

    [Fact]
    public void A_character_without_a_key_is_refused() =>
        Assert.Equal(FailureKind.Usage, Assert.Throws<VirtigoException>(() => KeyChords.Text("é")).Kind);

    [Theory]
    [InlineData("crash", 'c')]
    [InlineData("B", 'b')]
    [InlineData("9", '9')]
    public void SysRq_commands_have_names(string command, char key) => Assert.Equal(key, SysRqCommands.Key(command));

    [Fact]
    public void A_screen_is_read_line_by_line_without_its_colours()
    {
        byte[] screen = [2, 4, 0, 0, .. "H7i7 7 7"u8, (byte)'o', 7, 0xdb, 7, (byte)'k', 7, 0, 7];

        Assert.Equal("Hi\no?k", ScreenText.Of(screen));
        Assert.Equal("Hi", ScreenText.Of(screen.AsSpan(0, 14)));
        Assert.Equal("", ScreenText.Of([9, 0, 0, 0, 1]));
    }
}
