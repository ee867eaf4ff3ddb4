namespace Virtigo.Tests.Archives;

/// <summary>A throw-away signing key, made once per test process.</summary>
internal sealed class TestArchiveKey
{
    private static readonly Lazy<TestArchiveKey> LazyTrusted = new(() => new TestArchiveKey("trusted"));
    private static readonly Lazy<TestArchiveKey> LazyStranger = new(() => new TestArchiveKey("stranger"));
    private readonly string _home = TestArchiveTools.NewFolder();

    private TestArchiveKey(string name)
    {
        File.SetUnixFileMode(_home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => TestArchiveTools.Run("gpgconf", null, "--homedir", _home, "--kill", "gpg-agent");
        Gpg(null, "--quick-gen-key", $"Virtigo test {name} <{name}@mirror.example>", "ed25519", "sign", "never");
        Keyring = Path.Combine(_home, $"{name}.gpg");
        File.WriteAllBytes(Keyring, Gpg(null, "--export"));
        ArmouredKeyring = Path.Combine(_home, $"{name}.asc");
        File.WriteAllBytes(ArmouredKeyring, Gpg(null, "--armor", "--export"));
    }

    /// <summary>The key that test archives are signed with.</summary>
    public static TestArchiveKey Trusted => LazyTrusted.Value;

    /// <summary>A key that nobody trusts.</summary>
    public static TestArchiveKey Stranger => LazyStranger.Value;

    /// <summary>The public key as a binary keyring.</summary>
    public string Keyring { get; }

    /// <summary>The public key as an ASCII-armoured keyring.</summary>
    public string ArmouredKeyring { get; }

    public byte[] ClearSign(byte[] text) => Gpg(text, "--digest-algo", "SHA256", "--clearsign");

    public byte[] DetachSign(byte[] text, bool armour = true) =>
        Gpg(text, ["--digest-algo", "SHA256", .. (string[])(armour ? ["--armor"] : []), "--detach-sign"]);

    private byte[] Gpg(byte[]? input, params string[] arguments) => TestArchiveTools.Run("gpg", input,
        ["--homedir", _home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", .. arguments]);
}
