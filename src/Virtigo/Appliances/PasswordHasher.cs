using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>
/// Turns a password into <c>crypt(3)</c> text with SHA-512. The salt is a keyed hash of the password and its place under a secret
/// of the user's: the same spec gives the same text, and so the same image, while a stranger cannot compute the salt of a guess.
/// </summary>
internal sealed partial class PasswordHasher(byte[] secret)
{
    private const int SecretBytes = 32;
    private const int SaltLength = 16;
    private const string SaltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    // The largest crypt_data of any libcrypt is glibc's, of 128 KiB and some; libxcrypt's has 32 KiB.
    private const int CryptDataBytes = 256 * 1024;

    /// <summary>The hasher with the user's secret, which is made on first use.</summary>
    public static async Task<PasswordHasher> OpenAsync(HostPaths paths, CancellationToken cancellationToken)
    {
        string file = Path.Combine(paths.State, "password-salt.key");
        using FileLock turn = await FileLock.AcquireAsync(file + ".lock", null, cancellationToken);
        if (File.Exists(file))
        {
            byte[] kept = await File.ReadAllBytesAsync(file, cancellationToken);
            return kept.Length == SecretBytes
                ? new PasswordHasher(kept)
                : throw new VirtigoException(FailureKind.Host, $"{file} is damaged: expected {SecretBytes} bytes, found {kept.Length}.",
                    $"Remove it (rm '{file}'); images of specs with a password will be built anew.");
        }

        byte[] made = RandomNumberGenerator.GetBytes(SecretBytes);
        await AtomicFile.WriteAsync(file, (stream, token) => stream.WriteAsync(made, token).AsTask(),
            UnixFileMode.UserRead | UnixFileMode.UserWrite, cancellationToken);
        return new PasswordHasher(made);
    }

    /// <summary>Hashes a password.</summary>
    /// <param name="password">The password.</param>
    /// <param name="place">Whose it is: the appliance and the account, so that equal passwords have different salts.</param>
    public string Hash(SecretText password, string place)
    {
        byte[] keyed = HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"{place}\0{password.Reveal()}"));
        string salt = string.Concat(keyed.Take(SaltLength).Select(value => SaltAlphabet[value % SaltAlphabet.Length]));
        return Crypt(password.Reveal(), "$6$" + salt);
    }

    /// <summary>A keyed hash of a secret, in hexadecimal: it tells whether a secret changed, and nothing else to whoever lacks the user's own.</summary>
    /// <param name="value">The secret.</param>
    /// <param name="place">What it is for, so that equal secrets have different digests.</param>
    public string Digest(SecretText value, string place) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes($"digest\0{place}\0{value.Reveal()}")));

    /// <summary>Hashes with a given setting, such as <c>$6$salt</c>.</summary>
    internal static unsafe string Crypt(string password, string setting)
    {
        byte[] data = new byte[CryptDataBytes];
        try
        {
            fixed (byte* scratch = data)
            {
                string? hash = Marshal.PtrToStringUTF8(CryptR(password, setting, scratch));
                return hash is not null && hash.StartsWith("$6$", StringComparison.Ordinal)
                    ? hash
                    : throw new VirtigoException(FailureKind.Host, "The host's libcrypt cannot hash with SHA-512.",
                        "Give password-hash instead of password; mkpasswd -m sha512crypt prints one.");
            }
        }
        catch (DllNotFoundException missing)
        {
            throw new VirtigoException(FailureKind.Host, "libcrypt.so.1 is missing, which hashes passwords.",
                "Install it (Debian: libcrypt1), or give password-hash instead of password.", missing);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(data);
        }
    }

    // Safe: crypt_r writes only into the buffer it is given, which is larger than any known crypt_data, zeroed as the manual asks,
    // and pinned until its result, a pointer into it, was copied.
    [LibraryImport("libcrypt.so.1", EntryPoint = "crypt_r", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial nint CryptR(string phrase, string setting, byte* data);
}
