using System.Text;
using Virtigo.Archives;
using Xunit;

namespace Virtigo.Tests.Archives;

public sealed class GpgvTests
{
    private static readonly byte[] Message = "Origin: Test\nDate: today\n- dashed\n"u8.ToArray();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Exactly_the_signed_text_is_returned()
    {
        byte[] text = await Inline(TestArchiveKey.Trusted.ClearSign(Message));
        Assert.Equal(Encoding.UTF8.GetString(Message), Encoding.UTF8.GetString(text));
    }

    [Fact]
    public async Task An_armoured_keyring_serves_as_well() => Assert.Equal(Message, await Gpgv.VerifyInlineAsync(
        Write(TestArchiveKey.Trusted.ClearSign(Message)), TestArchiveKey.Trusted.ArmouredKeyring, "http://mirror.example", Token));

    [Fact]
    public async Task A_changed_text_is_refused_with_gpgvs_words_and_the_keyring()
    {
        string signed = Encoding.UTF8.GetString(TestArchiveKey.Trusted.ClearSign(Message));
        VirtigoException e = await Refused(Encoding.UTF8.GetBytes(signed.Replace("today", "never", StringComparison.Ordinal)));
        Assert.Contains("BAD signature", e.Message, StringComparison.Ordinal);
        Assert.Contains(TestArchiveKey.Trusted.Keyring, e.Message, StringComparison.Ordinal);
        Assert.Contains("changed after it was signed", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_strangers_signature_is_refused()
    {
        VirtigoException e = await Refused(TestArchiveKey.Stranger.ClearSign(Message));
        Assert.Contains("No public key", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_around_the_signed_message_is_refused()
    {
        byte[] signed = TestArchiveKey.Trusted.ClearSign(Message);
        await Refused([.. "Origin: Evil\n"u8, .. signed]);
        await Refused([.. signed, .. "Origin: Evil\n"u8]);
        await Refused([.. signed, .. signed]);
        await Refused([.. TestArchiveKey.Stranger.ClearSign(Message), .. signed]);
        await Refused("<html>Log in first</html>"u8.ToArray());
        await Refused([]);
    }

    [Fact]
    public async Task One_good_signature_among_unknown_ones_is_enough()
    {
        string file = Write(Message);
        byte[] stranger = TestArchiveKey.Stranger.DetachSign(Message, armour: false);
        byte[] trusted = TestArchiveKey.Trusted.DetachSign(Message, armour: false);

        await Verify(file, [.. stranger, .. trusted]);
        await Verify(file, [.. trusted, .. stranger]);
        await Assert.ThrowsAsync<VirtigoException>(() => Verify(file, stranger));
        await Assert.ThrowsAsync<VirtigoException>(() => Verify(Write("other"u8.ToArray()), trusted));
        await Assert.ThrowsAsync<VirtigoException>(() => Verify(file, "no signature"u8.ToArray()));
    }

    [Fact]
    public void A_missing_keyring_is_the_hosts_failure() =>
        Assert.Equal(FailureKind.Host, Assert.Throws<VirtigoException>(() => Gpgv.FindKeyring("/nonexistent.gpg")).Kind);

    private static Task<byte[]> Inline(byte[] signed) =>
        Gpgv.VerifyInlineAsync(Write(signed), TestArchiveKey.Trusted.Keyring, "http://mirror.example/InRelease", Token);

    private static async Task<VirtigoException> Refused(byte[] signed)
    {
        var e = await Assert.ThrowsAsync<VirtigoException>(() => Inline(signed));
        Assert.Equal(FailureKind.Trust, e.Kind);
        return e;
    }

    private static Task Verify(string file, byte[] signature) =>
        Gpgv.VerifyDetachedAsync(file, Write(signature), TestArchiveKey.Trusted.Keyring, "http://mirror.example/Release", Token);

    private static string Write(byte[] content)
    {
        string path = Path.Combine(TestArchiveTools.NewFolder(), "file");
        File.WriteAllBytes(path, content);
        return path;
    }
}
