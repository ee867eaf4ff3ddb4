using System.Text;
using CsCheck;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>A serial console belongs to the guest: whatever it says is a result, an error by name, or nothing; never much memory, never for ever.</summary>
public sealed class SerialShellFuzzTests
{
    private const int OutputLimit = 500;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Whatever_a_console_says_is_heard_alike_in_any_pieces_and_little_of_it_is_held()
    {
        var command = new SerialCommand();
        Gen.Select(Said(command), Gen.Int[1, 40], Gen.Bool).Sample((said, piece, wanted) =>
        {
            byte[] all = [.. said.SelectMany(part => part)];
            Heard whole = Listen(command, [all], wanted);
            Heard pieces = Listen(command, all.Chunk(piece), wanted);
            Assert.Equal(whole, pieces);
            Assert.True(whole.Text.Length <= OutputLimit);
        }, iter: 3000);
    }

    [Fact]
    public async Task A_guest_that_forges_every_mark_only_fools_itself()
    {
        await Gen.Select(Gen.Int[0, 255], Said(new SerialCommand())).SampleAsync(async (code, noise) =>
        {
            await using var guest = new HostileConsole(async (typed, say) =>
            {
                // It reads the token from what is typed, as root may.
                string mark = typed.IndexOf("virtigo-", StringComparison.Ordinal) is >= 0 and int at && typed.Length > at + 25 ? $"@@{typed[at..(at + 25)]}" : "@@virtigo-";
                await say(SerialCommand.Ready);
                foreach (byte[] part in noise)
                {
                    await say(Encoding.Latin1.GetString(part));
                }

                await say($"{mark}taken@\r\n{mark}begin@\r\n{mark}killed@{mark}end.{code}@\n");
            });
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
            try
            {
                CommandResult result = await guest.Shell.ExecuteAsync("true", new CommandOptions { OutputLimit = OutputLimit }, limit.Token);
                Assert.InRange(result.ExitCode, 0, 255);
                Assert.InRange(result.Output.Length, 0, OutputLimit);
            }
            catch (OperationCanceledException)
            {
                // It was given up in time.
            }
        }, iter: 30, threads: 4);
    }

    [Fact]
    public async Task A_console_that_ends_is_told_at_any_point()
    {
        await Gen.Int[0, 5].SampleAsync(async answers =>
        {
            int left = answers;
            await using var guest = new HostileConsole(async (typed, say) =>
            {
                int at = typed.LastIndexOf("virtigo-", StringComparison.Ordinal);
                if (left-- <= 0)
                {
                    throw new IOException("The guest is gone.");
                }

                await say(at < 0 ? SerialCommand.Ready : $"@@{typed[at..(at + 25)]}{(typed.Contains("begin", StringComparison.Ordinal) ? "begin" : "taken")}@\r\n");
            });
            VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
                () => guest.Shell.ExecuteAsync("true", new CommandOptions(), Token).WaitAsync(TimeSpan.FromSeconds(20), Token));
            Assert.Equal(FailureKind.Guest, error.Kind);
            Assert.Contains("has ended", error.Message, StringComparison.Ordinal);
        }, iter: 30, threads: 2);
    }

    /// <summary>Parts of marks, marks, prompts, line ends and anything.</summary>
    private static Gen<byte[][]> Said(SerialCommand command)
    {
        string[] words =
        [
            command.Mark, command.Mark + "begin@\r\n", command.Mark + "begin@", command.Mark + "taken@", command.Mark + "killed@\n", command.Mark + "end.7@",
            command.Mark + "end.", "255@", "256@", "-1@", "@", "@@", command.Mark[..9], command.Mark[9..], "\r", "\n", "\r\n", SerialCommand.Ready, "# ", "\x1b[?2004h",
            "[   12.345678] virtio: said\r\n",
        ];
        Gen<byte[]> known = Gen.Int[0, words.Length - 1].Select(at => Encoding.ASCII.GetBytes(words[at]));
        return Gen.Frequency((4, known), (1, Gen.Byte.Array[0, 60]), (1, Gen.Int[100, 900].Select(size => new byte[size]))).Array[0, 30];
    }

    private static Heard Listen(SerialCommand command, IEnumerable<byte[]> pieces, bool wanted)
    {
        long passed = 0;
        var listener = new SerialListener(command, OutputLimit, wanted ? bytes => passed += bytes.Length : null);
        Task taken = listener.Next("taken");
        _ = listener.NextPrompt();
        foreach (byte[] piece in pieces)
        {
            listener.Receive(piece);
            Assert.InRange(listener.Held, 0, 300);
        }

        return new Heard(listener.Ended.IsCompleted ? listener.Ended.Result : -1, taken.IsCompleted, listener.Ended.IsCompleted ? listener.Text : "", listener.Truncated, passed);
    }

    private sealed record Heard(int Code, bool Taken, string Text, bool Truncated, long Passed);
}
