using System.Text;
using CsCheck;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class ConsoleQuestionTests
{
    [Fact]
    public void A_choice_is_read_with_its_question_and_choices()
    {
        ConsoleQuestion question = Read("recipe.console");
        Assert.Equal("Partitioning scheme:", question.Question);
        Assert.Equal("Partition disks", question.Title);
        Assert.Equal(
            ["All files in one partition (recommended for new users)", "Separate /home partition", "Separate /home, /var, and /tmp partitions"],
            question.Choices);
    }

    [Fact]
    public void Choices_in_columns_come_in_their_order() =>
        Assert.Equal(["Eastern", "Central", "Mountain", "Pacific", "Alaska", "Hawaii", "Arizona", "East Indiana", "Samoa"], Read("zone.console").Choices);

    [Fact]
    public void A_yes_or_no_question_is_read()
    {
        ConsoleQuestion question = Read("confirm.console");
        Assert.Equal("Write the changes to disks?", question.Question);
        Assert.Equal(["Yes", "No"], question.Choices);
        Assert.Contains("partition 1 of Virtual disk 1 (vda) as ext4", question.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("failure.console", "Installation step failed")]
    [InlineData("mirrorbad.console", "Bad archive mirror")]
    [InlineData("kernel.console", "Unable to install the selected kernel")]
    public void An_error_is_told_from_a_question(string file, string text)
    {
        ConsoleQuestion question = Read(file);
        Assert.True(question.IsError);
        Assert.Equal(text, question.Question);
    }

    [Theory]
    [InlineData("dhcp.console", "Network autoconfiguration failed")]
    [InlineData("hostname.console", "Hostname:")]
    [InlineData("rootpw.console", "Root password:")]
    public void A_note_a_text_and_a_password_are_read(string file, string text)
    {
        ConsoleQuestion question = Read(file);
        Assert.False(question.IsError);
        Assert.Equal(text, question.Question);
        Assert.Empty(question.Choices);
    }

    [Fact]
    public void A_console_that_goes_on_after_a_prompt_waits_for_nothing() =>
        Assert.Null(ConsoleQuestion.Waiting(Text(Golden.Bytes("confirm.console")) + "\nFormatting partitions  ... 10%"));

    [Fact]
    public void A_screen_drawn_with_escape_sequences_becomes_words()
    {
        string text = Text(Encoding.UTF8.GetBytes("\u001b[2J\u001b[1;1H\u001b[37m\u001b[44mInstalling\u001b[5;9H the base\u001b]0;title\a system\u001b(B\r\n"));
        Assert.Equal(["Installing", "the base system"], text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void A_progress_screen_of_the_newt_frontend_waits_for_nothing_and_reads_as_words()
    {
        var terminal = new TerminalText();
        terminal.Feed(Golden.Bytes("newt.console"));
        Assert.Null(ConsoleQuestion.Waiting(terminal.ToString()));
        Assert.Contains(terminal.LastLines(200), l => l.Contains("Starting up the partitioner", StringComparison.Ordinal));
        Assert.DoesNotContain(terminal.ToString(), c => c == '\u001b');
    }

    [Fact]
    public void Any_bytes_leave_a_bounded_text_without_control_characters() =>
        Gen.Byte.Array[0, 4000].Sample(bytes =>
        {
            var terminal = new TerminalText();
            for (int i = 0; i < 40; i++)
            {
                terminal.Feed(bytes);
            }

            string text = terminal.ToString();
            _ = ConsoleQuestion.Waiting(text);
            return text.Length <= TerminalText.MaximumLength && !text.Any(c => char.IsControl(c) && c is not ('\n' or '\t'));
        }, iter: 100);

    [Fact]
    public void Any_text_before_a_prompt_is_read_without_error() =>
        Gen.OneOf(Gen.String, Golden.Pieces(" 1: a,  2: b", "---", "!! ERROR: ", "\n", "  99999: x", "... 10%", "Prompt: '?' for help> ")).Array[0, 30]
            .Sample(pieces => ConsoleQuestion.Waiting(string.Join('\n', pieces) + "\nPrompt: '?' for help, default=1> ") is not null, iter: 500);

    private static ConsoleQuestion Read(string file) => Assert.IsType<ConsoleQuestion>(ConsoleQuestion.Waiting(Text(Golden.Bytes(file))));

    private static string Text(byte[] bytes)
    {
        var terminal = new TerminalText();
        terminal.Feed(bytes);
        return terminal.ToString();
    }
}
