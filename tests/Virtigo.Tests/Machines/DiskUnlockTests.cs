using System.IO.Pipelines;
using System.Text;
using CsCheck;
using Virtigo.Host;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class DiskUnlockTests
{
    private const string Question = "Please unlock disk vda3_crypt: ";
    private static readonly Passphrase s_passphrase = new("correct horse", "d");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_passphrase_is_typed_once_for_each_question_however_it_arrives()
    {
        var said = new Pipe();
        var typed = new Pipe();
        Task answering = DiskUnlock.AnswerAsync(new TwoWayStream(said.Reader.AsStream(), typed.Writer.AsStream()), s_passphrase, TimeProvider.System, Token);
        using var reader = new StreamReader(typed.Reader.AsStream(leaveOpen: true));

        await SayAsync(said, "Loading initial ramdisk ...\r\n" + new string('x', 40_000) + "\r\nPlease unlo");
        await SayAsync(said, "ck disk vda3_crypt: ");
        Assert.Equal("correct horse", await reader.ReadLineAsync(Token));
        await SayAsync(said, "\r\ncryptsetup: ERROR: vda3_crypt: cryptsetup failed, bad password or options?\r\n" + Question);
        Assert.Equal("correct horse", await reader.ReadLineAsync(Token));
        await SayAsync(said, "\r\ncryptsetup: vda3_crypt: set up successfully\r\n");
        await said.Writer.CompleteAsync();
        await answering;
        await typed.Writer.CompleteAsync();
        Assert.Equal("", await reader.ReadToEndAsync(Token));
    }

    [Theory]
    [InlineData(Question, true)]
    [InlineData("[  7.1] noise\r\n" + Question, true)]
    [InlineData("Please unlock disk vda3_crypt", false)]
    [InlineData("Please unlock disk vda3\r\n_crypt: ", false)]
    [InlineData("Please unlock disk : ", false)]
    [InlineData("login: ", false)]
    public void Only_the_question_is_one(string printed, bool asks) => Assert.Equal(asks, DiskUnlock.Asks(Encoding.ASCII.GetBytes(printed)));

    [Fact]
    public void Whatever_is_printed_is_looked_at_without_harm() => Gen.Byte.Array.Sample(bytes =>
    {
        byte[] around = [.. bytes, .. Encoding.ASCII.GetBytes("Please unlock disk "), .. bytes];
        _ = DiskUnlock.Asks(around);
        return !DiskUnlock.Asks(bytes) || Encoding.Latin1.GetString(bytes).Contains("Please unlock disk ", StringComparison.Ordinal);
    }, iter: 5000);

    [Fact]
    public void A_passphrase_shows_nowhere_and_is_known_by_its_digest()
    {
        Assert.Equal("***", $"{s_passphrase}");
        Assert.Equal(s_passphrase, new Passphrase("another", "d"));
        Assert.NotEqual(s_passphrase, new Passphrase("correct horse", "e"));
    }

    private static async Task SayAsync(Pipe console, string text) => await console.Writer.WriteAsync(Encoding.ASCII.GetBytes(text), Token);
}
