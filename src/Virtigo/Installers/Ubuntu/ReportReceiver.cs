using System.Globalization;
using System.Text;

namespace Virtigo.Installers.Ubuntu;

/// <summary>Takes the installer's reports from connections of the guest's, each a POST of HTTP/1.x. The guest is not trusted with anything.</summary>
/// <param name="onReport">Told of each report, from the connection's own task.</param>
internal sealed class ReportReceiver(Action<InstallerReport> onReport)
{
    private const int MaxHeadBytes = 16 << 10;

    /// <summary>Serves one connection: one request, then its end.</summary>
    /// <param name="connection">The connection; the caller closes it.</param>
    /// <param name="cancellationToken">Ends the serving.</param>
    public async Task ServeAsync(Stream connection, CancellationToken cancellationToken)
    {
        (byte[] head, byte[] begun) = await ReadHeadAsync(connection, cancellationToken);
        (string status, int length, bool waits) = head.Length == 0 ? ("400 Bad Request", 0, false) : Judge(Encoding.Latin1.GetString(head));
        if (length >= 0 && status.StartsWith('2'))
        {
            if (waits)
            {
                await connection.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), cancellationToken);
                await connection.FlushAsync(cancellationToken);
            }

            byte[] body = new byte[length];
            begun.AsSpan(0, Math.Min(begun.Length, length)).CopyTo(body);
            int have = Math.Min(begun.Length, length);
            if (await connection.ReadAtLeastAsync(body.AsMemory(have), length - have, throwOnEndOfStream: false, cancellationToken) == length - have
                && InstallerReport.Parse(body) is { } report)
            {
                onReport(report);
            }
            else
            {
                status = "400 Bad Request";
            }
        }

        await connection.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), cancellationToken);
        await connection.FlushAsync(cancellationToken);
    }

    private static async Task<(byte[] Head, byte[] Begun)> ReadHeadAsync(Stream connection, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MaxHeadBytes];
        int have = 0;
        for (int read; have < buffer.Length && (read = await connection.ReadAsync(buffer.AsMemory(have), cancellationToken)) > 0;)
        {
            have += read;
            if (buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8) is >= 0 and var end)
            {
                return (buffer[..end], buffer[(end + 4)..have]);
            }
        }

        return ([], []);
    }

    private static (string Status, int Length, bool Waits) Judge(string head)
    {
        string[] lines = head.Split("\r\n");
        if (lines[0].Split(' ') is not ["POST", _, "HTTP/1.0" or "HTTP/1.1"])
        {
            return ("405 Method Not Allowed", 0, false);
        }

        string? Header(string name) => lines.Skip(1).Select(line => line.Split(':', 2))
            .FirstOrDefault(field => field.Length == 2 && field[0].Equals(name, StringComparison.OrdinalIgnoreCase))?[1].Trim();
        return !int.TryParse(Header("Content-Length"), NumberStyles.None, CultureInfo.InvariantCulture, out int length) ? ("411 Length Required", 0, false)
            : length > InstallerReport.MaxBytes ? ("413 Content Too Large", 0, false)
            : ("200 OK", length, Header("Expect")?.Equals("100-continue", StringComparison.OrdinalIgnoreCase) == true);
    }
}
