using System.Diagnostics;
using System.Text;

namespace Virtigo.Archives;

/// <summary>Verifies signatures with gpgv, the only judge of what is trusted.</summary>
internal static class Gpgv
{
    private const int MaxOutput = 64 << 20;
    private const int MaxMessages = 1 << 20;
    private const string StatusPrefix = "[GNUPG:] ";
    private const string HostKeyring = "/usr/share/keyrings/debian-archive-keyring";

    // RFC 4880, 9.4: MD5, SHA-1 and RIPEMD-160 no longer prove anything.
    private static readonly HashSet<string> WeakDigests = ["1", "2", "3"];

    /// <summary>The keyring to use: the named one, or the host's own for Debian archives.</summary>
    /// <exception cref="VirtigoException">There is none (<see cref="FailureKind.Host"/>).</exception>
    public static string FindKeyring(string? named)
    {
        if (named is not null)
        {
            return File.Exists(named) ? named : throw new VirtigoException(FailureKind.Host,
                $"The keyring {named} does not exist.", "Name an existing keyring file, binary or ASCII-armoured.");
        }

        return ((string[])[HostKeyring + ".pgp", HostKeyring + ".gpg"]).FirstOrDefault(File.Exists) ?? throw new VirtigoException(
            FailureKind.Host, $"The Debian archive keyring {HostKeyring}.pgp (or .gpg) is not installed.",
            "Install it: apt-get install debian-archive-keyring");
    }

    /// <summary>Verifies a clear-signed file and returns the text that was signed, and nothing else of the file.</summary>
    /// <exception cref="VirtigoException">No good signature by the keyring (<see cref="FailureKind.Trust"/>), or no gpgv (<see cref="FailureKind.Host"/>).</exception>
    public static async Task<byte[]> VerifyInlineAsync(string path, string keyring, string url, CancellationToken cancellationToken)
    {
        byte[] signed = await File.ReadAllBytesAsync(path, cancellationToken);
        if (!IsOneSignedMessage(signed))
        {
            throw new VirtigoException(FailureKind.Trust,
                $"{url} is not one clear-signed message from its first to its last line, so its signature vouches for nothing.",
                "A login page of the network or a broken mirror answers so; open the address in a browser, or use another mirror.");
        }

        return await RunAsync(["--output", "-", path], keyring, url, cancellationToken);
    }

    /// <summary>Verifies a file by its detached signature.</summary>
    /// <inheritdoc cref="VerifyInlineAsync" path="/exception"/>
    public static Task VerifyDetachedAsync(string path, string signature, string keyring, string url, CancellationToken cancellationToken) =>
        RunAsync([signature, path], keyring, url, cancellationToken);

    private static async Task<byte[]> RunAsync(IReadOnlyList<string> arguments, string keyring, string url, CancellationToken cancellationToken)
    {
        string? plainKeyring = await DearmorAsync(keyring, cancellationToken);
        try
        {
            var start = new ProcessStartInfo("gpgv",
                ["--status-fd", "2", "--keyring", Path.GetFullPath(plainKeyring ?? keyring), .. arguments])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            };
            start.Environment["LC_ALL"] = "C.UTF-8";
            using Process gpgv = Start(start);
            try
            {
                gpgv.StandardInput.Close();
                Task<byte[]> output = ReadAsync(gpgv.StandardOutput.BaseStream, MaxOutput, cancellationToken);
                Task<byte[]> messages = ReadAsync(gpgv.StandardError.BaseStream, MaxMessages, cancellationToken);
                await Task.WhenAll(output, messages);
                await gpgv.WaitForExitAsync(cancellationToken);
                Judge(Encoding.UTF8.GetString(await messages), gpgv.ExitCode, keyring, url);
                return await output;
            }
            finally
            {
                if (!gpgv.HasExited)
                {
                    gpgv.Kill();
                }
            }
        }
        finally
        {
            if (plainKeyring is not null)
            {
                File.Delete(plainKeyring);
            }
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new VirtigoException(FailureKind.Host, $"gpgv, which verifies archive signatures, cannot be started: {e.Message}",
                "Install it: apt-get install gpgv", e);
        }
    }

    // A Release carries the signatures of several keys, and an older keyring lacks the newest: one good signature is enough, as for apt,
    // but none may be bad. gpgv's own exit code is not zero when any key is missing.
    private static void Judge(string messages, int exitCode, string keyring, string url)
    {
        bool good = false;
        bool bad = false;
        bool currentIsGood = false;
        var words = new List<string>();
        foreach (string line in messages.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!line.StartsWith(StatusPrefix, StringComparison.Ordinal))
            {
                words.Add(line);
                continue;
            }

            string[] status = line[StatusPrefix.Length..].Split(' ');
            switch (status[0])
            {
                case "NEWSIG":
                    currentIsGood = false;
                    break;
                case "GOODSIG":
                    currentIsGood = true;
                    break;
                case "VALIDSIG" when currentIsGood && status.Length > 8 && !WeakDigests.Contains(status[8]):
                    good = true;
                    break;
                case "BADSIG":
                    bad = true;
                    break;
            }
        }

        if (good && !bad && (exitCode is 0 or 2))
        {
            return;
        }

        throw new VirtigoException(FailureKind.Trust,
            $"The signature of {url} was not accepted by gpgv with the keyring {keyring}: "
            + $"{(words.Count == 0 ? $"exit code {exitCode}" : Text.Shorten(string.Join("; ", words.Take(8)).AsSpan(), 1000))}",
            bad
                ? "The file was changed after it was signed. Use another mirror, and do not use this one again."
                : "If the archive is signed by a newer key, update the keyring (apt-get install debian-archive-keyring) or name the right one.");
    }

    private static bool IsOneSignedMessage(byte[] file)
    {
        string[] lines = Encoding.Latin1.GetString(file).TrimEnd().Split('\n');
        return lines[0].TrimEnd() == "-----BEGIN PGP SIGNED MESSAGE-----"
            && lines[^1].TrimEnd() == "-----END PGP SIGNATURE-----"
            && lines.Count(line => line.StartsWith("-----", StringComparison.Ordinal)) == 3;
    }

    private static async Task<byte[]> ReadAsync(Stream stream, int max, CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[65536];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            if (all.Length + read > max)
            {
                throw new VirtigoException(FailureKind.Trust, $"gpgv wrote more than {max >> 20} MiB.", "Use another mirror.");
            }

            all.Write(buffer, 0, read);
        }

        return all.ToArray();
    }

    /// <summary>gpgv reads binary keyrings only: an ASCII-armoured one is decoded into a temporary file.</summary>
    private static async Task<string?> DearmorAsync(string keyring, CancellationToken cancellationToken)
    {
        const string Begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
        const int MaxKeyring = 16 << 20;
        byte[] content = new FileInfo(keyring).Length <= MaxKeyring ? await File.ReadAllBytesAsync(keyring, cancellationToken) : [];
        if (content.AsSpan().TrimStart(" \t\r\n"u8).IndexOf(Encoding.ASCII.GetBytes(Begin)) != 0)
        {
            return null;
        }

        using var binary = new MemoryStream();
        var block = new StringBuilder();
        bool inside = false;
        bool headers = false;
        foreach (string raw in Encoding.ASCII.GetString(content).Split('\n'))
        {
            string line = raw.Trim();
            if (line == Begin)
            {
                (inside, headers) = (true, true);
            }
            else if (inside && line.StartsWith("-----END", StringComparison.Ordinal))
            {
                binary.Write(Decode(block.ToString(), keyring));
                block.Clear();
                inside = false;
            }
            else if (inside && headers)
            {
                headers = line.Length > 0;
            }
            else if (inside && !line.StartsWith('='))
            {
                block.Append(line);
            }
        }

        string path = Path.GetTempFileName();
        await File.WriteAllBytesAsync(path, binary.ToArray(), cancellationToken);
        return path;
    }

    private static byte[] Decode(string base64, string keyring)
    {
        try
        {
            return Convert.FromBase64String(base64);
        }
        catch (FormatException e)
        {
            throw new VirtigoException(FailureKind.Host, $"The keyring {keyring} is ASCII-armoured but not valid base64.", null, e);
        }
    }
}
